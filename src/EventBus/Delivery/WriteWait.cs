namespace EventBus.Delivery;

/// <summary>One event that waits for room in one full subscription.</summary>
/// <remarks>All but the constructor's arguments belong to the channel's lock.</remarks>
internal abstract class WriteWait
{
    protected WriteWait(PendingPublish publish, TimeSpan timeout)
    {
        Publish = publish;
        Timeout = timeout;
    }

    public PendingPublish Publish { get; }

    public TimeSpan Timeout { get; }

    /// <summary>Neighbours in the channel's queue.</summary>
    public WriteWait? Previous { get; set; }

    public WriteWait? Next { get; set; }

    /// <summary>Whether it is still in the queue.</summary>
    public bool IsWaiting { get; set; }

    /// <summary>Loses the event, unless the wait has ended already.</summary>
    public abstract void GiveUp(WaitEnd why);
}

/// <summary>The event, and what it is to be queued with.</summary>
internal sealed class WaitingEvent<TEvent> : WriteWait
    where TEvent : notnull
{
    private readonly SubscriberChannel<TEvent> _channel;

    public WaitingEvent(SubscriberChannel<TEvent> channel, PendingPublish publish, TEvent @event, long ordinal, in Stamp stamp)
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

/// <summary>A queue of waits, first come, first served, that any of them can leave in O(1). Guarded by the channel's lock.</summary>
internal struct WriteWaitQueue
{
    private WriteWait? _last;

    public WriteWait? First { get; private set; }

    public void Append(WriteWait wait)
    {
        wait.IsWaiting = true;
        wait.Previous = _last;
        if (_last is null)
            First = wait;
        else
            _last.Next = wait;
        _last = wait;
    }

    public void Remove(WriteWait wait)
    {
        wait.IsWaiting = false;
        if (wait.Previous is null)
            First = wait.Next;
        else
            wait.Previous.Next = wait.Next;
        if (wait.Next is null)
            _last = wait.Previous;
        else
            wait.Next.Previous = wait.Previous;
        wait.Previous = wait.Next = null;
    }
}
