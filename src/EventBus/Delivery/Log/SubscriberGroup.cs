using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>
/// The subscriptions that ask for the same thing (the same patterns, the same type), and share a log of it: an event is written once, however
/// many they are. The part that does not depend on the event's type.
/// </summary>
/// <remarks>
/// <para>
/// A member is <em>in the log</em> while it has room: then it reads there, by a cursor. Who is full when an event is published, or is to be
/// spared one, goes <em>on its own</em>: what it has not read of the log is still its to read, and what comes after is offered to it alone, by its
/// overflow policy. When it has read everything it comes back to the log's end.
/// </para>
/// <para>
/// <see cref="GroupGate"/> guards everything, except where a member says otherwise. Locks are taken in the order history, registry, group,
/// channel; relays last. Nothing foreign is called under any.
/// </para>
/// <para>Invariants, with the gate free:</para>
/// <list type="bullet">
/// <item>Every member in the log has room for each event before <see cref="SafeUntil"/>, and none is on its own if that is not the lowest number
/// there is.</item>
/// <item><see cref="AtEnd"/> of those in the log are known to have read everything; it counts those whose <see cref="GroupMember.SeenEnd"/>
/// is the log's end.</item>
/// <item>Who is parked has nothing to read, is open and in the log.</item>
/// </list>
/// </remarks>
internal abstract class SubscriberGroup
{
    /// <summary>How many members are asked how much room they have one after the other, before it is cheaper to ask all.</summary>
    private const int FewAsked = 16;

    /// <summary>So far back that no capacity reaches the log from there.</summary>
    private const long NeverRead = long.MinValue / 2;

    protected Gate GroupGate;
    protected Roster Members = new();

    /// <summary>Up to this position nobody need be asked or offered an event alone.</summary>
    protected long SafeUntil = long.MinValue;
    protected int AtEnd;
    private ParkedReaders _parked = new();

    /// <summary>Whether a member may hold events back, which take up room behind its position. Set before one does; never reset.</summary>
    private volatile bool _mayHoldBack;
    private long _tail;
    private long _published;

    /// <summary>Where the log ended when all members were asked last.</summary>
    private long _askedAll;

    /// <summary>Where the log ended when everyone had last read everything: nobody's room ends less than its capacity after, if none holds back.</summary>
    private long _readByAll = NeverRead;

    protected SubscriberGroup(SubscriberProfile profile) => Profile = profile;

    /// <summary>What its members have in common, and what the last one that joined is like besides. Guarded by the registry's lock.</summary>
    public SubscriberProfile Profile { get; set; }

    /// <summary>The position of the next event: where the log ends. Read without the lock.</summary>
    public long Tail
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Volatile.Read(ref _tail);
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        protected set => Volatile.Write(ref _tail, value);
    }

    /// <summary>Whether the members' type is a value type, which is stored without a box.</summary>
    public abstract bool StoresValues { get; }

    /// <summary>A mark of the registry's, guarded by its lock: which route this group was last added to.</summary>
    public long RouteMark { get; set; }

    /// <summary>How many members the registry knows as live; guarded by its lock.</summary>
    public int Joined { get; set; }

    /// <summary>How many the registry has not forgotten: live, or not all of it read; guarded by its lock.</summary>
    public int Known { get; set; }

    /// <summary>How many publishes it was the first to take.</summary>
    public long Published
    {
        get
        {
            using (GroupGate.Enter())
                return _published;
        }
    }

    /// <summary>Those who wait for the log's next event. Under the gate.</summary>
    public ref ParkedReaders LockedParked => ref _parked;

    /// <summary>Offers an event to members who want references, or whose type the publisher did not name.</summary>
    public abstract void OfferObject(object @event, SubscriberChannel? except, ref FanOut fanOut);

    /// <summary>Counts an event as lost, for all members, that there was no memory to offer.</summary>
    public void LoseOffered(SubscriberChannel? except, ref FanOut fanOut)
    {
        using (GroupGate.Enter())
        {
            LockedLeaveLog(except);
            for (int i = Members.Open - 1; i >= 0; i--)
            {
                if (Members[i] != except)
                    Members[i].LoseOffered(ref fanOut);
            }
        }
    }

    public void EnterGate() => GroupGate.EnterBare();

    public void ExitGate() => GroupGate.Exit();

    /// <summary>Lets a channel in: it gets what is published after this returns. Under the registry's lock.</summary>
    public void Join(GroupMember member)
    {
        using (GroupGate.Enter())
            member.LockedJoin(this);
    }

    /// <summary>Forgets a channel that has ended and was read. Under the registry's lock.</summary>
    public void Forget(GroupMember member)
    {
        using (GroupGate.Enter())
            Members.Remove(member);
    }

    /// <summary>Adds the members to a list.</summary>
    /// <param name="list">The list.</param>
    /// <param name="ended">Whether those that have ended and not been read are wanted, too.</param>
    public void CopyTo(List<SubscriberChannel> list, bool ended)
    {
        // As a rule all of it, so that no memory is asked for while the gate is held.
        list.EnsureCapacity(list.Count + Members.All);
        using (GroupGate.Enter())
        {
            int count = ended ? Members.All : Members.Open;
            for (int i = 0; i < count; i++)
                list.Add((SubscriberChannel)Members[i]);
        }
    }

    /// <summary>Adds a member at the log's end; if there is no memory for it, nothing has changed.</summary>
    public void LockedAdd(GroupMember member)
    {
        Members.Add(member, Tail + member.Capacity);
        LockedCountIn(member);
    }

    /// <summary>A member has left the log, and is on its own.</summary>
    public void LockedLeft(GroupMember member)
    {
        Members.LeaveLog(member);
        if (member.SeenEnd == Tail)
            AtEnd--;
        member.SeenEnd = -1;
        LockedSetSafe();
    }

    /// <summary>A member that was on its own is at the log's end.</summary>
    public void LockedEntered(GroupMember member)
    {
        Members.EnterLog(member, member.RoomUpTo);
        LockedCountIn(member);
    }

    /// <summary>A member that is on its own has ended.</summary>
    public void LockedEnded(GroupMember member)
    {
        Members.End(member);
        LockedSetSafe();
    }

    /// <summary>A member in the log has read everything.</summary>
    public void LockedCountAtEnd(GroupMember member)
    {
        member.SeenEnd = Tail;
        AtEnd++;
    }

    /// <summary>A member is going to hold an event back; before its position moves over it.</summary>
    public void HoldsBack() => _mayHoldBack = true;

    /// <summary>A member may have read everything; with no lock held.</summary>
    public void SawEnd(GroupMember member, long position)
    {
        using (GroupGate.Enter())
        {
            if (position == Tail && member.SeenEnd != position && member.IsInLog)
                LockedCountAtEnd(member);
            LockedLookForEnd();
        }
    }

    /// <summary>Lets go of what the log holds if everyone has read everything.</summary>
    public abstract void LockedLookForEnd();

    /// <summary>Whoever in the log has no room for another event leaves it.</summary>
    protected void LockedMakeRoom()
    {
        long tail = Tail;
        if (LockedLimit > tail)
            return;
        for (int asked = 0; Members.FirstLimit <= tail; asked++)
        {
            // Not again before the log has grown by some of the members: each time must be paid for by others that need not be asked.
            if (asked == FewAsked && tail - _askedAll >= Members.InLog / FewAsked)
            {
                _askedAll = tail;
                Members.AskAll();
                continue;
            }

            GroupMember first = Members[0];
            long limit = first.RoomUpTo;
            if (limit > tail)
                Members.SetFirstLimit(limit);
            else
                first.LeaveLog();
        }
    }

    /// <summary>All but one leave the log.</summary>
    protected void LockedLeaveLog(SubscriberChannel? except)
    {
        // The last one first, so that none that is still to go takes the place of one that was looked at.
        int stays = except?.Group == this && except.IsInLog ? 1 : 0;
        while (Members.InLog > stays)
        {
            GroupMember last = Members[Members.InLog - 1];
            (last == except ? Members[Members.InLog - 2] : last).LeaveLog();
        }
    }

    /// <summary>Counts a publish that members are open for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected void LockedCount(int matched, ref FanOut fanOut)
    {
        _published += fanOut.Uncounted;
        fanOut.Uncounted = 0;
        fanOut.Matched += matched;
    }

    protected void LockedSetSafe() => SafeUntil = Members.Open > Members.InLog || Members.InLog == 0 ? long.MinValue : LockedLimit;

    /// <summary>Everyone has read everything.</summary>
    protected void LockedNoteEnd()
    {
        _readByAll = Tail;
        LockedSetSafe();
    }

    /// <summary>Up to where all members in the log have room.</summary>
    /// <remarks>
    /// Who begins to hold back after this was worked out does so behind a position that it had not passed then. One that comes back with what it
    /// holds back has had it set before, and this is worked out again.
    /// </remarks>
    private long LockedLimit => _mayHoldBack ? Members.FirstLimit : Math.Max(Members.FirstLimit, _readByAll + Members.LeastCapacity);

    private void LockedCountIn(GroupMember member)
    {
        LockedCountAtEnd(member);
        LockedSetSafe();
    }
}
