using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>
/// One subscriber's bounded channel: the part that does not depend on the event's type. The bus holds this, never the
/// user's <see cref="Subscription"/>, so that a subscription nobody holds any more can be found by the garbage collector.
/// </summary>
/// <remarks>
/// <para>
/// Everything that changes is guarded by <see cref="ChannelGate"/>, except where a field says otherwise. Under the lock nothing is
/// called that is not this class's own: readers, publishers and the bus are told after it. Locks are taken in the order
/// history, registry, channel; so nothing below takes another lock while it holds the gate.
/// </para>
/// <para>Invariants, with the gate free:</para>
/// <list type="bullet">
/// <item>Every event offered while open got the next ordinal, and is queued, waited for, read, dropped or discarded.</item>
/// <item>Ordinals in the queue grow, and those of waiting events are greater than all that were queued before them.</item>
/// <item>While someone waits to take an event, no more is queued or replayed than takers were woken that have not come back yet; nobody
/// waits only to be told while anything is, and nobody waits to write while there is room.</item>
/// <item>After the end nothing is added, and nobody waits.</item>
/// <item>A channel tells its owner once that it ended, and once that it finished; in either order, if both happen at once.</item>
/// </list>
/// </remarks>
internal abstract class SubscriberChannel
{
    protected Gate ChannelGate = new();
    public LagReports LagReports; // needs no lock

    private WaitingReaders _readers = new();

    /// <summary>A wait to use again; taken and put back without the lock.</summary>
    private ReadWait? _spareReader;
    private ChannelCompletion _completion;
    private CancellationTokenRegistration _endToken;
    private ChannelState _state;

    /// <summary>Set when the channel overflowed under <see cref="OverflowPolicy.Close"/>.</summary>
    private SubscriptionOverflowException? _fault;
    private ChannelCounts _counts;

    /// <summary>The part of the counts that is the bus's own traffic.</summary>
    private ChannelCounts _ownCounts;

    /// <summary>Whether events have been lost since the channel was last empty.</summary>
    private bool _isLagging;

    /// <summary>Whether the replay is still to be attached: until then an empty channel is not finished.</summary>
    private bool _awaitsReplay;

    protected SubscriberChannel(IChannelOwner owner, SubscriberProfile profile)
    {
        Owner = owner;
        Profile = profile;
    }

    public IChannelOwner Owner { get; }

    public SubscriberProfile Profile { get; }

    /// <summary>Whether the subscriber's type is a value type, which is stored without a box.</summary>
    public abstract bool StoresValues { get; }

    /// <summary>A mark of the registry's, guarded by its lock: which route this channel was last added to.</summary>
    public long RouteMark { get; set; }

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
                return LastOrdinal;
        }
    }

    /// <summary>Ends when the channel has ended and all it held was read.</summary>
    public Task Completion
    {
        get
        {
            using (ChannelGate.Enter())
                return _completion.LockedSubscription(_state == ChannelState.Finished);
        }
    }

    /// <summary>The same as channels have it: it faults when the channel overflowed.</summary>
    public Task ReaderCompletion
    {
        get
        {
            using (ChannelGate.Enter())
                return _completion.LockedReader(_state == ChannelState.Finished, _fault);
        }
    }

    protected abstract int LockedCount { get; }

    protected abstract int LockedQueued { get; }

    protected bool LockedIsOpen => _state == ChannelState.Open;

    protected long LastOrdinal { get; private set; }

    /// <summary>Offers an event to a subscriber who wants references, or whose type the publisher did not name.</summary>
    public abstract void OfferObject(object @event, ref FanOut fanOut);

    /// <summary>The counters at one moment.</summary>
    public ChannelSnapshot Snapshot()
    {
        using (ChannelGate.Enter())
        {
            int own = Profile.ListensToOwn ? LockedOwnQueued() : 0;
            return new ChannelSnapshot(_state, LockedCount, LockedQueued - own, own, _counts, _ownCounts);
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
                _endToken = registration;
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
        using (ChannelGate.Enter())
        {
            ended = _state == ChannelState.Open;
            if (ended)
            {
                _state = ChannelState.Ended;
                writers = LockedEndWaits(end, ref loss);
            }

            if (end == ChannelEnd.Left)
            {
                _awaitsReplay = false;
                LockedDiscard();
            }

            readers = _readers.TakeAll();
            finished = LockedTryFinish();
        }

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
        ReadWait.CompleteAll(readers, readable: false);
        if (loss is { } lost)
            Report(lost);
        return ended;
    }

    /// <summary>Waits until there may be something to read, or nothing ever again.</summary>
    /// <param name="keepAlive">What must not be collected while a reader waits.</param>
    /// <param name="takes">Whether the reader takes an event as soon as it is told of one.</param>
    /// <param name="cancellationToken">Cancels the wait only.</param>
    public ValueTask<bool> WaitToReadAsync(object keepAlive, bool takes, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<bool>(cancellationToken);
        ReadWait wait;
        ValueTask<bool> task;
        using (ChannelGate.Enter())
        {
            if (LockedReadable > 0)
                return new(true);
            if (_state != ChannelState.Open)
                return _fault is null ? new(false) : ValueTask.FromException<bool>(_fault);
            wait = cancellationToken.CanBeCanceled
                ? new ReadWait(this, reusable: false)
                : Interlocked.Exchange(ref _spareReader, null) ?? new ReadWait(this, reusable: true);
            wait.Begin(keepAlive, takes);
            _readers.Append(wait);

            // Its version must be read before anyone can complete it.
            task = wait.Task;
        }

        if (cancellationToken.CanBeCanceled)
            wait.CancelBy(cancellationToken);
        return task;
    }

    /// <summary>Takes one waiting reader out of the list.</summary>
    /// <returns>False if somebody else completes it.</returns>
    public bool RemoveReader(ReadWait wait)
    {
        using (ChannelGate.Enter())
            return _readers.TryRemove(wait);
    }

    /// <summary>Keeps a wait for the next reader.</summary>
    public void Reuse(ReadWait wait) => Volatile.Write(ref _spareReader, wait);

    /// <summary>Tells the bus of the end that an overflow made; by the publish that did it, with no lock held. Never throws.</summary>
    public void AfterOverflow()
    {
        try
        {
            bool finished;
            using (ChannelGate.Enter())
                finished = LockedTryFinish();
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

    /// <summary>Counts an event as lost that there was no memory to offer.</summary>
    public void LoseOffered(ref FanOut fanOut)
    {
        using (ChannelGate.Enter())
        {
            if (_state != ChannelState.Open)
                return;
            fanOut.Matched++;
            LockedNextOrdinal();
            EventOrigin origin = fanOut.Stamp.Origin;
            fanOut.Add(LockedLose(origin, origin.IsOwn));
        }
    }

    /// <summary>What can be read, as opposed to what is held back.</summary>
    protected abstract int LockedReadable { get; }

    /// <summary>Ends all waits for room, and returns them as a list for the caller to tell.</summary>
    protected abstract WriteWait? LockedEndWaits(ChannelEnd end, ref Loss? loss);

    /// <summary>Counts what is left as discarded, and lets go of it.</summary>
    protected abstract void LockedDiscard();

    protected abstract int LockedOwnQueued();

    /// <summary>Gives an event that is offered its ordinal.</summary>
    protected long LockedNextOrdinal() => ++LastOrdinal;

    /// <summary>Closes the channel because it overflowed; the publish that did it tells the owner.</summary>
    protected void LockedOverflow(ref FanOut fanOut)
    {
        // What allocates comes first: a channel that ended and told nobody would stay in its routes.
        SubscriptionOverflowException fault = Profile.OverflowOn(fanOut.Stamp.Origin.Topic);
        fanOut.AddEnded(this);
        (_state, _fault) = (ChannelState.Ended, fault);

        fanOut.Wakes = ReadWait.Join(_readers.TakeAll(), fanOut.Wakes);
    }

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
            _ownCounts.Dropped += count;
        return new Loss(this, topic, count, _counts.Dropped, begins);
    }

    protected void LockedCountDelivered(EventOrigin origin)
    {
        _counts.Delivered++;
        if (origin.IsOwn)
            _ownCounts.Delivered++;
    }

    protected void LockedCountDiscarded(int count, int own)
    {
        _counts.Discarded += count;
        _ownCounts.Discarded += own;
    }

    /// <summary>An episode of losses is over: the channel ran empty.</summary>
    protected void LockedEndEpisode() => _isLagging = false;

    /// <summary>Has the publisher wake those who are waiting for the event that was queued.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected void LockedWakeReaders(ref FanOut fanOut)
    {
        if (!_readers.IsEmpty)
            fanOut.Wakes = ReadWait.Join(_readers.TakeForOne(), fanOut.Wakes);
    }

    /// <summary>Takes out those who are waiting for one event, for the caller to complete without the lock.</summary>
    protected ReadWait? LockedTakeReaders() => _readers.TakeForOne();

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
        _completion.Finish(_fault);
        Owner.Finished(this);
    }

    private void AfterEnd(bool finished)
    {
        _endToken.Unregister();
        Owner.Ended(this);
        if (finished)
            AfterFinish();
    }
}
