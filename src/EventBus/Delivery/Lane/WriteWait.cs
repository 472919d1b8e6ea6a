namespace EventBus.Delivery;

/// <summary>One event that waits for room in one full subscription.</summary>
/// <remarks>All but the constructor's arguments belong to the channel's lock.</remarks>
internal abstract class WriteWait : QueuedWait<WriteWait>
{
    protected WriteWait(PendingPublish publish, TimeSpan timeout)
    {
        Publish = publish;
        Timeout = timeout;
    }

    public PendingPublish Publish { get; }

    public TimeSpan Timeout { get; }

    /// <summary>Loses the event, unless the wait has ended already.</summary>
    public abstract void GiveUp(WaitEnd why);
}

/// <summary>The event, and what it is to be queued with.</summary>
internal sealed class WaitingEvent<TEvent> : WriteWait
    where TEvent : notnull
{
    private readonly ChannelIntake<TEvent> _channel;

    public WaitingEvent(ChannelIntake<TEvent> channel, PendingPublish publish, TEvent @event, long ordinal, in Stamp stamp)
        : base(publish, channel.Profile.WaitTimeout)
    {
        _channel = channel;
        Event = @event;
        Ordinal = ordinal;
        Stamp = stamp;
    }

    public TEvent Event { get; }

    public long Ordinal { get; }

    public Stamp Stamp { get; }

    public override void GiveUp(WaitEnd why) => _channel.GiveUp(this, why);
}

/// <summary>How a wait for room ends.</summary>
internal enum WaitEnd
{
    /// <summary>A read made room, and the event is queued.</summary>
    Delivered,

    /// <summary>Nothing was read in time: the event is lost.</summary>
    TimedOut,

    /// <summary>The publisher's token was cancelled: the event is lost.</summary>
    Cancelled,

    /// <summary>The subscription ended, but its reader has not left: the event is lost.</summary>
    Lost,

    /// <summary>The subscriber left: the event is discarded.</summary>
    Discarded,
}
