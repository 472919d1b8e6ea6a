using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>The writing side of one subscriber's channel: what is offered to it while it is on its own, and what becomes of that.</summary>
/// <inheritdoc cref="SubscriberChannel" path="/remarks"/>
internal abstract class ChannelIntake<TEvent> : SubscriberChannel
    where TEvent : notnull
{
    /// <summary>Where it is in the group's log.</summary>
    protected LogCursor<TEvent> Cursor;

    /// <summary>The ordinal of the last event offered to it alone; the log has counted on, while it is in there.</summary>
    private long _lastOffered;
    private Lane<TEvent>? _lane;

    protected ChannelIntake(SubscriberProfile profile, long id, DateTimeOffset createdAt)
        : base(profile, id, createdAt)
    {
    }

    /// <summary>What there is beside the log; null as long as nothing was.</summary>
    protected Lane<TEvent>? Lane
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _lane;
    }

    /// <remarks>In this order: an event that is being held back is counted as held before the position moves over it.</remarks>
    public override long RoomUpTo
    {
        get
        {
            long position = Cursor.Position;
            return position - (Volatile.Read(ref _lane)?.Held.Queued ?? 0) + Profile.Capacity;
        }
    }

    public override long Position => Cursor.Position;

    public override bool IsInLog => Cursor.IsInLog;

    /// <summary>Whether something of what takes up room is here, rather than held back.</summary>
    public bool LockedHasQueued => Cursor.HasUnread(Group) || _lane?.Queue.Count > 0;

    protected override int LockedReadable => (int)Cursor.Unread(Group) + (_lane?.Readable ?? 0);

    protected override int LockedCount => (int)Cursor.Unread(Group) + (_lane?.Count ?? 0);

    protected override int LockedQueued => (int)Cursor.Unread(Group) + (_lane?.Queued ?? 0);

    protected override long LockedOffered => IsInLog ? Cursor.LastOrdinal(Group!) : _lastOffered;

    protected override bool LockedMayEnterLog =>
        LockedIsOpen && !IsInLog && Group is { } group && !Cursor.HasUnread(group) && _lane is null or { IsEmpty: true } && !Readers.AreSeveral;

    private bool LockedIsFull =>
        Cursor.Unread(Group) + (_lane?.Queued ?? 0) >= Profile.Capacity || _lane?.Writers.First is not null;

    protected SubscriberGroup<TEvent> TypedGroup
    {
        // Not checked: it is set by joining, and every event that is read in it comes by here.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Unsafe.As<SubscriberGroup<TEvent>>(Group!);
    }

    public override SubscriberGroup CreateGroup() => new SubscriberGroup<TEvent>(Profile);

    /// <summary>Queues an event for this member alone, or does with it what the overflow policy says. On its own, under the group's gate.</summary>
    public void Offer(in TEvent @event, ref FanOut fanOut)
    {
        ChannelGate.EnterBare();
        long ordinal = ++_lastOffered;
        bool isFull = LockedIsFull;
        if (!isFull && _lane is { } lane && lane.Queue.HasSpace && !LockedIsStarved)
        {
            // Nothing in here can throw.
            lane.Queue.AppendInSpace().Fill(in @event, ordinal, in fanOut.Stamp);
            LockedWakeReaders(ref fanOut);
            ChannelGate.Exit();
        }
        else
        {
            LockedOfferSlowly(in @event, ordinal, isFull, ref fanOut);
        }
    }

    /// <inheritdoc/>
    public override void LoseOffered(ref FanOut fanOut)
    {
        using (ChannelGate.Enter())
        {
            fanOut.Matched++;
            _lastOffered++;
            LockedLoseOffered(ref fanOut);
        }
    }

    /// <summary>Lets an event at the log's end go by that is not for this member, while it is written for the others. Under the group's gate.</summary>
    public void LockedSkip(in TEvent @event, ref FanOut fanOut)
    {
        SubscriberGroup<TEvent> group = TypedGroup;
        using (ChannelGate.Enter())
        {
            // Nor is its reader to be told.
            bool isParked = group.LockedParked.TryRemove(Readers.Parked);
            group.LockedWrite(in @event, ref fanOut);
            Cursor.Skip(group);
            if (isParked)
                Readers.Park(Readers.Parked!, ref group.LockedParked);
            group.LockedCountAtEnd(this);
        }
    }

    /// <inheritdoc/>
    public override void Starve()
    {
        using (ChannelGate.Enter())
        {
            LockedIsStarved = true;
            LockedLeaveLog();
        }
    }

    /// <summary>Loses an event that waits, unless its wait has ended.</summary>
    public void GiveUp(WaitingEvent<TEvent> wait, WaitEnd why)
    {
        Loss loss;
        using (ChannelGate.Enter())
        {
            if (_lane?.Writers.TryRemove(wait) != true)
                return;
            if (why == WaitEnd.TimedOut)
                _lane.IsStalled = true;
            loss = LockedLose(wait.Stamp.Origin, wait.Stamp.Origin.IsOwn);
        }

        wait.Publish.WaitEnded(why);
        Report(loss);
    }

    /// <summary>Queues an event that is offered to this member alone.</summary>
    public void LockedQueue(in TEvent @event, long ordinal, ref FanOut fanOut)
    {
        LockedLane().Queue.Append().Fill(in @event, ordinal, in fanOut.Stamp);
        LockedWakeReaders(ref fanOut);
    }

    /// <summary>Loses the event that is offered.</summary>
    public void LockedLoseOffered(ref FanOut fanOut)
    {
        EventOrigin origin = fanOut.Stamp.Origin;
        fanOut.Add(LockedLose(origin, origin.IsOwn));
    }

    /// <summary>Loses the event that would be read next.</summary>
    public void LockedDropFirst(ref FanOut fanOut)
    {
        bool isLogged = Cursor.HasUnread(Group);
        EventOrigin dropped = isLogged ? Cursor.First(TypedGroup).Origin : _lane!.Queue.First.Origin;
        fanOut.Add(LockedLose(fanOut.Stamp.Origin, dropped.IsOwn));
        if (isLogged)
            Cursor.Advance(TypedGroup);
        else
            _lane!.Queue.RemoveFirst();
    }

    /// <summary>Loses the event that was queued last.</summary>
    public void LockedDropLast(ref FanOut fanOut)
    {
        bool isQueued = _lane?.Queue.Count > 0;
        EventOrigin dropped = isQueued ? _lane!.Queue.Last.Origin : Cursor.Last().Origin;
        fanOut.Add(LockedLose(fanOut.Stamp.Origin, dropped.IsOwn));
        if (isQueued)
            _lane!.Queue.RemoveLast();
        else
            Cursor.RemoveLast(TypedGroup);
    }

    /// <summary>Has the publisher wait for room, if it may.</summary>
    public bool LockedTryWait(in TEvent @event, long ordinal, ref FanOut fanOut)
    {
        if (!fanOut.MayWait || Profile.WaitTimeout == TimeSpan.Zero || _lane is { IsStalled: true })
            return false;
        Lane<TEvent> lane = LockedLane();
        PendingPublish pending = fanOut.Pending ??= new PendingPublish();
        WaitingEvent<TEvent> wait = new(this, pending, @event, ordinal, fanOut.Stamp);
        pending.Add(wait);
        lane.Writers.Append(wait);
        return true;
    }

    protected override void LockedEnter(SubscriberGroup group)
    {
        Cursor.Enter(((SubscriberGroup<TEvent>)group).LockedLast, group.Tail, _lastOffered);
        _lane?.Queue.Rest();
    }

    protected override void LockedLeave(SubscriberGroup group)
    {
        _lastOffered = Cursor.LastOrdinal(group);
        Cursor.Leave((SubscriberGroup<TEvent>)group);
    }

    protected override WriteWait? LockedEndWaits(ChannelEnd end, ref Loss? loss)
    {
        if (_lane?.Writers.TakeAll() is not WaitingEvent<TEvent> first)
            return null;
        int count = 0;
        for (WriteWait? wait = first; wait is not null; wait = wait.Next)
            count++;

        // The bus never waits for room, so none of these is its own.
        if (end == ChannelEnd.Left)
            LockedCountDiscarded(count, own: 0);
        else
            loss = LockedLose(first.Stamp.Origin, isOwn: false, count);
        return first;
    }

    protected override void LockedDiscard()
    {
        LockedCountDiscarded(LockedCount, LockedOwnQueued());
        if (Group is not null)
            Cursor.Discard(TypedGroup);
        _lane?.Clear();
    }

    protected override int LockedOwnQueued() =>
        !Profile.ListensToOwn ? 0 : Cursor.CountOwn(Group) + (_lane is null ? 0 : _lane.Held.Own + _lane.Queue.CountOwn());

    /// <summary>What the common case leaves: a channel that is full, or must grow. Leaves the gate.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LockedOfferSlowly(in TEvent @event, long ordinal, bool isFull, ref FanOut fanOut)
    {
        using (ChannelGate.Scope())
        {
            try
            {
                if (LockedIsStarved)
                    LockedLoseOffered(ref fanOut);
                else if (isFull)
                    OverflowRules.Apply(this, in @event, ordinal, ref fanOut);
                else
                    LockedQueue(in @event, ordinal, ref fanOut);
            }
            catch (OutOfMemoryException)
            {
                // This subscription's loss, and nobody else's. Whatever threw allocates before it changes anything.
                LockedIsStarved = true;
                LockedLoseOffered(ref fanOut);
            }
        }
    }

    private void LockedWakeReaders(ref FanOut fanOut)
    {
        if (Readers.IsAnyWaiting)
            fanOut.AddWakes(Readers.TakeForOne());
    }

    protected Lane<TEvent> LockedLane()
    {
        if (_lane is null)
            Volatile.Write(ref _lane, new Lane<TEvent>());
        return _lane;
    }
}
