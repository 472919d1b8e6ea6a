using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>
/// One subscriber's bounded channel: the part that does not depend on the event's type. The bus holds this, never the
/// user's <see cref="Subscription"/>, so that a subscription nobody holds any more can be found by the garbage collector.
/// </summary>
/// <remarks>
/// <para>
/// A channel is a place in its group's log (<see cref="LogCursor{TEvent}"/>), and what it has beside that (<see cref="Lane{TEvent}"/>). One that
/// never joined has no group.
/// </para>
/// <para>
/// Everything that changes is guarded by the channel's gate, except where a field says otherwise; the end is made under both gates. Under a gate
/// nothing is called that is not delivery's own: readers, publishers and the bus are told after it.
/// </para>
/// <para>Invariants, with the gates free:</para>
/// <list type="bullet">
/// <item>Every event offered while open got the next ordinal, and is queued, waited for, read, dropped or discarded.</item>
/// <item>Ordinals grow from the log to the queue, and those of waiting events are greater than all that were queued before them.</item>
/// <item>While someone waits to take an event, no more is queued or replayed than takers were woken that have not come back yet; nobody
/// waits only to be told while anything is, and nobody waits to write while there is room.</item>
/// <item>After the end nothing is added, and nobody waits.</item>
/// <item>A channel tells its owner once that it ended, and once that it finished; in either order, if both happen at once.</item>
/// </list>
/// </remarks>
internal abstract class SubscriberChannel : GroupMember
{
    public LagReports LagReports; // needs no lock
    private readonly long _createdAtTicks;
    private ChannelState _state;

    /// <summary>Whether events have been lost since the channel was last empty.</summary>
    private bool _isLagging;

    /// <summary>Whether the replay is still to be attached: until then an empty channel is not finished.</summary>
    private bool _awaitsReplay;
    private ChannelEnding? _ending;
    private ChannelCounts _counts;

    /// <summary>The part of the counts that is the bus's own traffic; null if there is none.</summary>
    private readonly StrongBox<ChannelCounts>? _ownCounts;

    protected SubscriberChannel(SubscriberProfile profile, long id, DateTimeOffset createdAt)
        : base(profile)
    {
        Id = id;
        _createdAtTicks = createdAt.UtcTicks;
        if (profile.ListensToOwn)
            _ownCounts = new StrongBox<ChannelCounts>();
    }

    public long Id { get; }

    public DateTimeOffset CreatedAt => new(_createdAtTicks, TimeSpan.Zero);

    /// <summary>Whether the registry knows this channel as live; guarded by its lock.</summary>
    public bool IsJoined { get; set; }

    /// <summary>Set once, before the subscription is handed out.</summary>
    public bool ReplayTruncated { get; set; }

    /// <summary>What waits to be read: queued, replayed, held back.</summary>
    public int Count
    {
        get
        {
            using (ChannelGate.Enter())
                return LockedCount;
        }
    }

    public bool IsOpen
    {
        get
        {
            using (ChannelGate.Enter())
                return _state == ChannelState.Open;
        }
    }

    /// <summary>The ordinal of the last event offered: grows with every event that is accepted or lost.</summary>
    public long Offered
    {
        get
        {
            using (ChannelGate.Enter())
                return LockedOffered;
        }
    }

    /// <summary>Ends when the channel has ended and all it held was read.</summary>
    public Task Completion
    {
        get
        {
            using (ChannelGate.Enter())
                return LockedEnding().Completion.LockedSubscription(_state == ChannelState.Finished);
        }
    }

    /// <summary>The same as channels have it: it faults when the channel overflowed.</summary>
    public Task ReaderCompletion
    {
        get
        {
            using (ChannelGate.Enter())
                return LockedEnding().Completion.LockedReader(_state == ChannelState.Finished, _ending!.Fault);
        }
    }

    protected abstract int LockedCount { get; }

    protected abstract int LockedQueued { get; }

    protected abstract long LockedOffered { get; }

    protected sealed override bool LockedIsOpen => _state == ChannelState.Open;

    protected sealed override Exception? LockedFault => _ending?.Fault;

    protected bool LockedIsLagging => _isLagging;

    /// <summary>
    /// Whether there was no memory to queue an event, and none was read since: until then no more is asked for, or it would take the last there
    /// is from those who keep up.
    /// </summary>
    protected bool LockedIsStarved { get; set; }

    /// <summary>The counters at one moment.</summary>
    public ChannelSnapshot Snapshot()
    {
        using (ChannelGate.Enter())
        {
            int own = Profile.ListensToOwn ? LockedOwnQueued() : 0;
            return new ChannelSnapshot(_state, LockedCount, LockedQueued - own, own, _counts, LockedOwnCounts);
        }
    }

    /// <summary>
    /// To be called before the channel joins, if history will be attached: it may end meanwhile, and then has not finished yet.
    /// </summary>
    public void AwaitReplay()
    {
        using (ChannelGate.Enter())
            _awaitsReplay = true;
    }

    /// <summary>Ends the channel when a token is cancelled.</summary>
    public void EndBy(CancellationToken cancellationToken)
    {
        if (!cancellationToken.CanBeCanceled)
            return;
        CancellationTokenRegistration registration =
            cancellationToken.UnsafeRegister(static state => ((SubscriberChannel)state!).End(ChannelEnd.Completed), this);
        using (ChannelGate.Enter())
        {
            if (_state == ChannelState.Open)
            {
                LockedEnding().Token = registration;
                return;
            }
        }

        registration.Unregister();
    }

    /// <summary>
    /// Takes no more events. What is queued can still be read unless the subscriber left, in which case it is discarded.
    /// </summary>
    /// <returns>False if the channel had ended before; leaving still discards what is left.</returns>
    public bool End(ChannelEnd end)
    {
        ReadWait? readers;
        WriteWait? writers = null;
        Loss? loss = null;
        bool ended, finished;
        using (EnterBoth())
        {
            ended = _state == ChannelState.Open;
            if (ended)
            {
                _state = ChannelState.Ended;
                writers = LockedEndWaits(end, ref loss);
                if (IsInLog)
                    LockedLeaveLog();
                Group?.LockedEnded(this);
            }

            if (end == ChannelEnd.Left)
            {
                _awaitsReplay = false;
                LockedDiscard();
            }

            readers = Readers.TakeAll();
            finished = LockedTryFinish();
            Group?.LockedLookForEnd();
        }

        try
        {
            while (writers is { } writer)
            {
                writers = writer.Next;
                writer.Next = null;
                writer.Publish.WaitEnded(end == ChannelEnd.Left ? WaitEnd.Discarded : WaitEnd.Lost);
            }

            if (ended)
                AfterEnd(finished);
            else if (finished)
                AfterFinish();
        }
        finally
        {
            // A thread that is interrupted may throw where it waits for the registry.
            ReadWait.CompleteAll(readers, readable: false);
        }

        if (loss is { } lost)
            Report(lost);
        return ended;
    }

    /// <summary>Tells the bus of the end that an overflow made; by the publish that did it, with no lock held. Never throws.</summary>
    public void AfterOverflow()
    {
        try
        {
            bool finished;
            using (EnterBoth())
            {
                finished = LockedTryFinish();
                Group?.LockedLookForEnd();
            }

            AfterEnd(finished);
        }
        catch (Exception)
        {
            // No memory to take it out of a route: it is in there, refuses what it is offered, and goes when the route does.
        }
    }

    /// <summary>Tells the bus of a loss; with no lock held. Never throws: it is called by publishers, readers and timers.</summary>
    public static void Report(in Loss loss)
    {
        try
        {
            loss.Channel.Owner.Lost(loss);
        }
        catch (Exception)
        {
            // It is counted; there is no memory to tell it.
        }
    }

    /// <summary>Closes the channel because it overflowed; the publish that did it tells the owner. On its own, under both gates.</summary>
    public void LockedOverflow(ref FanOut fanOut)
    {
        // What allocates comes first: a channel that ended and told nobody would stay in its routes.
        SubscriptionOverflowException fault = Profile.OverflowOn(fanOut.Stamp.Origin.Topic);
        ChannelEnding ending = LockedEnding();
        fanOut.AddEnded(this);
        (_state, ending.Fault) = (ChannelState.Ended, fault);
        Group!.LockedEnded(this);
        fanOut.AddWakes(Readers.TakeAll());
    }

    /// <summary>Makes an ending, if there is none: it may find no memory.</summary>
    private ChannelEnding LockedEnding() => _ending ??= new ChannelEnding();

    /// <summary>The part of the counts that is the bus's own traffic.</summary>
    protected ChannelCounts LockedOwnCounts => _ownCounts?.Value ?? default;

    private void LockedCountOwn(in ChannelCounts more) => _ownCounts!.Value = _ownCounts.Value.Plus(more);

    /// <summary>Ends all waits for room, and returns them as a list for the caller to tell.</summary>
    protected abstract WriteWait? LockedEndWaits(ChannelEnd end, ref Loss? loss);

    /// <summary>Counts what is left as discarded, and lets go of it.</summary>
    protected abstract void LockedDiscard();

    protected abstract int LockedOwnQueued();

    /// <summary>The replay is there. False if nobody waits for it any more, because the subscriber left before it came.</summary>
    protected bool LockedEndStart()
    {
        (bool awaited, _awaitsReplay) = (_awaitsReplay, false);
        return awaited;
    }

    /// <summary>Counts losses and says whether they begin an episode. Those of the bus's own events are only counted.</summary>
    protected Loss LockedLose(EventOrigin topic, bool isOwn, int count = 1)
    {
        bool begins = !_isLagging && !isOwn;
        _isLagging |= begins;
        _counts.Dropped += count;
        if (isOwn)
            LockedCountOwn(new ChannelCounts(0, count, 0));
        return new Loss(this, topic, count, _counts.Dropped, begins);
    }

    protected void LockedCountDelivered(EventOrigin origin)
    {
        _counts.Delivered++;
        LockedIsStarved = false;
        if (origin.IsOwn)
            LockedCountOwn(new ChannelCounts(1, 0, 0));
    }

    protected void LockedCountDiscarded(int count, int own)
    {
        _counts.Discarded += count;
        if (own > 0)
            LockedCountOwn(new ChannelCounts(0, 0, own));
    }

    /// <summary>An episode of losses is over: the channel ran empty.</summary>
    protected void LockedEndEpisode() => _isLagging = false;

    /// <summary>Whether the end is reached: the caller then calls <see cref="AfterFinish"/> without the lock.</summary>
    protected bool LockedTryFinish()
    {
        if (_state != ChannelState.Ended || _awaitsReplay || LockedCount > 0)
            return false;
        _state = ChannelState.Finished;
        return true;
    }

    protected void AfterFinish()
    {
        // Without the lock: whoever asks from now on is given a task that has ended.
        _ending?.Completion.Finish(_ending.Fault);
        Owner.Finished(this);
    }

    private void AfterEnd(bool finished)
    {
        _ending?.Token.Unregister();
        Owner.Ended(this);
        if (finished)
            AfterFinish();
    }
}
