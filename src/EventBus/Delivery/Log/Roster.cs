using System.Diagnostics;

namespace EventBus.Delivery;

/// <summary>The members of a group, in one array of three parts: those in the log, those on their own, those that have ended but were not forgotten.</summary>
/// <remarks>
/// <para>
/// Those in the log are a heap by the position at which each may be full, as far as known: the first is the one to be asked first, and below one
/// that has room is nobody who may have none. What is known may be too low, never too high, as members only ever make room.
/// </para>
/// <para>
/// One array, so that a member goes from part to part without memory; each knows its place in it. Not thread-safe: the group's gate guards it.
/// </para>
/// </remarks>
internal struct Roster
{
    private const int SmallLength = 8;
    private Entry[] _entries = [];

    public Roster()
    {
    }

    /// <summary>How many are in the log: those before this index.</summary>
    public int InLog { get; private set; }

    /// <summary>How many are open: those before this index.</summary>
    public int Open { get; private set; }

    /// <summary>How many there are.</summary>
    public int All { get; private set; }

    /// <summary>No member in the log has room for fewer; it may be that none has so little any more.</summary>
    public int LeastCapacity { get; private set; } = int.MaxValue;

    /// <summary>Up to where every member in the log has room, as far as known.</summary>
    public readonly long FirstLimit => InLog == 0 ? long.MaxValue : _entries[0].Limit;

    public readonly GroupMember this[int index] => _entries[index].Member!;

    /// <summary>Whether a member of the group is open.</summary>
    public readonly bool IsOpen(GroupMember member) => (uint)member.Place < (uint)Open;

    /// <summary>Adds one that is in the log; if there is no memory for it, nothing has changed.</summary>
    public void Add(GroupMember member, long limit)
    {
        if (All == _entries.Length)
            Array.Resize(ref _entries, All == 0 ? 1 : All < SmallLength ? All + 2 : All * 2);

        // The first of each part after it becomes its last.
        if (All > Open)
            Put(All, _entries[Open]);
        if (Open > InLog)
            Put(Open, _entries[InLog]);
        All++;
        Open++;
        Put(InLog++, new Entry(member, limit));
        LeastCapacity = Math.Min(LeastCapacity, member.Capacity);
        SiftUp(InLog - 1);
    }

    /// <summary>One in the log goes on its own.</summary>
    public void LeaveLog(GroupMember member)
    {
        int place = member.Place;
        Debug.Assert(place < InLog, "is in the log");
        InLog--;
        if (InLog == 0)
            LeastCapacity = int.MaxValue;
        if (place == InLog)
            return;
        Swap(place, InLog);
        SiftDown(place);
        SiftUp(place);
    }

    /// <summary>One on its own enters the log.</summary>
    public void EnterLog(GroupMember member, long limit)
    {
        Debug.Assert(member.Place >= InLog && member.Place < Open, "is on its own");
        Swap(member.Place, InLog);
        _entries[InLog].Limit = limit;
        LeastCapacity = Math.Min(LeastCapacity, member.Capacity);
        SiftUp(InLog++);
    }

    /// <summary>One that is on its own has ended.</summary>
    public void End(GroupMember member)
    {
        Debug.Assert(member.Place >= InLog && member.Place < Open, "is on its own");
        Swap(member.Place, --Open);
    }

    /// <summary>Forgets one that has ended.</summary>
    public void Remove(GroupMember member)
    {
        Debug.Assert(member.Place >= Open && member.Place < All, "has ended");
        Swap(member.Place, --All);
        _entries[All] = default;
        member.Place = -1;
        if (_entries.Length > SmallLength && All * 4 < _entries.Length)
            Shrink();
    }

    /// <summary>The first one has room up to here.</summary>
    public void SetFirstLimit(long limit)
    {
        _entries[0].Limit = limit;
        SiftDown(0);
    }

    /// <summary>Asks all in the log how much room they have: cheaper than one after the other, when it is many.</summary>
    public void AskAll()
    {
        for (int i = 0; i < InLog; i++)
            _entries[i].Limit = _entries[i].Member!.RoomUpTo;
        for (int i = (InLog / 2) - 1; i >= 0; i--)
            SiftDown(i);
    }

    private void Shrink()
    {
        try
        {
            Array.Resize(ref _entries, Math.Max(All * 2, 1));
        }
        catch (OutOfMemoryException)
        {
            // It stays as large as it was.
        }
    }

    private void SiftUp(int index)
    {
        Entry entry = _entries[index];
        int place = index;
        while (place > 0 && entry.Limit < _entries[(place - 1) / 2].Limit)
        {
            Put(place, _entries[(place - 1) / 2]);
            place = (place - 1) / 2;
        }

        if (place != index)
            Put(place, entry);
    }

    private void SiftDown(int index)
    {
        Entry entry = _entries[index];
        int place = index;
        for (int child = (2 * place) + 1; child < InLog; child = (2 * place) + 1)
        {
            if (child + 1 < InLog && _entries[child + 1].Limit < _entries[child].Limit)
                child++;
            if (_entries[child].Limit >= entry.Limit)
                break;
            Put(place, _entries[child]);
            place = child;
        }

        if (place != index)
            Put(place, entry);
    }

    private void Swap(int one, int other)
    {
        if (one == other)
            return;
        Entry entry = _entries[one];
        Put(one, _entries[other]);
        Put(other, entry);
    }

    private readonly void Put(int index, Entry entry)
    {
        _entries[index] = entry;
        entry.Member!.Place = index;
    }

    private record struct Entry(GroupMember? Member, long Limit);
}
