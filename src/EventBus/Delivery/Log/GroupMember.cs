using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>A member of a group as its log sees it: in the log or on its own, with something to read or waiting for it.</summary>
/// <remarks>
/// <para>
/// Everything that changes is guarded by <see cref="ChannelGate"/>, except where a member says otherwise. What concerns the group too (joining,
/// leaving and entering the log, waiting in it, the end) is done under both gates, the group's first: so each alone is enough to rely on it.
/// </para>
/// <para>
/// A member in the log waits there, at most by one reader, so that a publish wakes all members by taking one list. Of several readers only one is
/// to be woken for an event: then the member is on its own, where each event comes by here.
/// </para>
/// </remarks>
internal abstract class GroupMember
{
    protected Gate ChannelGate;
    protected ChannelReaders Readers;
    private SubscriberGroup? _group;

    protected GroupMember(SubscriberProfile profile) => Profile = profile;

    public IChannelOwner Owner => Profile.Owner;

    public SubscriberProfile Profile { get; }

    /// <summary>Those it shares a log with; null until it joined. Set once, under both gates.</summary>
    public SubscriberGroup? Group
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Volatile.Read(ref _group);
    }

    /// <summary>Where the group's roster has it; guarded by the group's gate.</summary>
    public int Place { get; set; } = -1;

    /// <summary>Where the log ended when this member was known to have read everything; guarded by the group's gate.</summary>
    public long SeenEnd { get; set; } = -1;

    /// <summary>How many events it has room for.</summary>
    public virtual int Capacity => Profile.Capacity;

    /// <summary>The position in the log up to which there is room, if no more is read. Needs no lock; only in the log.</summary>
    public abstract long RoomUpTo { get; }

    /// <summary>The position in the log that is read next. Needs no lock.</summary>
    public abstract long Position { get; }

    /// <summary>Whether events reach it by the log. Under either gate.</summary>
    public abstract bool IsInLog { get; }

    protected abstract bool LockedIsOpen { get; }

    /// <summary>What the end was, for who waits; null: an ordinary one.</summary>
    protected abstract Exception? LockedFault { get; }

    /// <summary>What can be read, as opposed to what is held back.</summary>
    protected abstract int LockedReadable { get; }

    /// <summary>Whether it is on its own for no reason any more.</summary>
    protected abstract bool LockedMayEnterLog { get; }

    /// <summary>A group for those that ask for the same.</summary>
    public abstract SubscriberGroup CreateGroup();

    /// <summary>Joins a group, at its log's end, unless it has ended; under the group's gate.</summary>
    public void LockedJoin(SubscriberGroup group)
    {
        using (ChannelGate.Enter())
        {
            if (!LockedIsOpen)
                return;
            group.LockedAdd(this);
            LockedEnter(group);
            Volatile.Write(ref _group, group);
        }
    }

    /// <summary>Goes on its own; under the group's gate.</summary>
    public void LeaveLog()
    {
        using (ChannelGate.Enter())
            LockedLeaveLog();
    }

    /// <summary>Goes on its own, because there is no memory to hold more for it; under the group's gate.</summary>
    public abstract void Starve();

    /// <summary>Counts an event as lost that there was no memory to offer. On its own, and under the group's gate.</summary>
    public abstract void LoseOffered(ref FanOut fanOut);

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
        using (EnterBoth())
        {
            if (LockedReadable > 0)
                return new(true);
            if (!LockedIsOpen)
                return LockedFault is { } fault ? ValueTask.FromException<bool>(fault) : new(false);
            wait = cancellationToken.CanBeCanceled ? new ReadWait(this, reusable: false) : Readers.TakeReusable(this);
            wait.Begin(keepAlive, takes);
            LockedWait(wait);

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
        using (EnterBoth())
            return IsInLog ? Readers.TryRemove(wait, ref _group!.LockedParked) : Readers.TryRemove(wait);
    }

    /// <summary>Keeps a wait for the next reader.</summary>
    public void Reuse(ReadWait wait) => Readers.Reuse(wait);

    /// <summary>A reader that may have been told of an event leaves without taking it: another one is told.</summary>
    public void PassOn()
    {
        ReadWait? reader;
        using (EnterBoth())
            reader = LockedReadable > 0 ? LockedTakeReaders() : null;
        ReadWait.CompleteAll(reader, readable: true);
    }

    /// <summary>Begins to read at the log's end. Under both gates.</summary>
    protected abstract void LockedEnter(SubscriberGroup group);

    /// <summary>Reads no more of the log than there is now. Under both gates.</summary>
    protected abstract void LockedLeave(SubscriberGroup group);

    /// <summary>Takes out those who wait for one event, for the caller to complete without the locks. Under both gates, or on its own.</summary>
    protected ReadWait? LockedTakeReaders()
    {
        if (!IsInLog)
            return Readers.TakeForOne();
        return _group!.LockedParked.TryRemove(Readers.Parked) ? Readers.Parked : null;
    }

    /// <summary>Enters the log again, if nothing keeps it from it any more; with no lock held.</summary>
    protected void ComeBack()
    {
        using (EnterBoth())
        {
            if (LockedMayEnterLog)
                LockedEnterLog();
        }
    }

    /// <summary>Goes on its own. Under both gates.</summary>
    protected void LockedLeaveLog()
    {
        LockedLeave(_group!);
        _group!.LockedLeft(this);
        Readers.LeaveLog(ref _group.LockedParked);
    }

    /// <summary>Enters both gates, or the channel's alone if there is no group.</summary>
    protected BothGates EnterBoth()
    {
        while (true)
        {
            SubscriberGroup? group = Group;
            group?.EnterGate();
            ChannelGate.EnterBare();
            if (group == _group)
                return new BothGates(this);

            // It joined meanwhile.
            ChannelGate.Exit();
            group?.ExitGate();
        }
    }

    private void LockedEnterLog()
    {
        // First what may find no memory: one in the log whose reader is not parked there would never be told of an event.
        Readers.EnterLog(ref _group!.LockedParked);
        LockedEnter(_group);
        _group.LockedEntered(this);
    }

    private void LockedWait(ReadWait wait)
    {
        if (!Readers.IsAnyWaiting && LockedMayEnterLog)
            LockedEnterLog();
        if (IsInLog && !_group!.LockedParked.Contains(Readers.Parked))
        {
            Readers.Park(wait, ref _group.LockedParked);
            return;
        }

        if (IsInLog)
            LockedLeaveLog();
        Readers.Append(wait);
    }

    /// <summary>Both gates while they are held.</summary>
    protected readonly ref struct BothGates(GroupMember member)
    {
        public void Dispose()
        {
            SubscriberGroup? group = member._group;
            member.ChannelGate.Exit();
            group?.ExitGate();
        }
    }
}
