namespace EventBus.History;

/// <summary>The newest event of each type of which a topic keeps no more than that. Guarded by the history's lock.</summary>
/// <remarks>
/// One place for each listed type. An event that is of several listed types stands in the place of each, and is one event all the same;
/// it is kept for as long as it is the newest of one of them.
/// </remarks>
internal sealed class LatestEvents
{
    private static readonly Comparison<HistoryEntry> BySequence = static (a, b) => a.Sequence.CompareTo(b.Sequence);
    private readonly Type[] _types;

    /// <summary>The newest of each type; sequence 0: there is none.</summary>
    private readonly HistoryEntry[] _newest;

    public LatestEvents(Type[] types)
    {
        Allocation.Begin();
        _types = types;
        _newest = new HistoryEntry[types.Length];
    }

    /// <summary>How many events there are, each counted once.</summary>
    public int Count { get; private set; }

    /// <summary>When the oldest of them was published; the greatest time if there is none.</summary>
    public long OldestTicks
    {
        get
        {
            long oldest = long.MaxValue;
            foreach (ref readonly HistoryEntry entry in _newest.AsSpan())
                oldest = entry.Sequence > 0 ? Math.Min(oldest, entry.PublishedAtTicks) : oldest;
            return oldest;
        }
    }

    /// <summary>Whether an event is of one of these types.</summary>
    public static bool Are(Type[] types, object @event)
    {
        foreach (Type type in types)
        {
            if (type.IsInstanceOfType(@event))
                return true;
        }

        return false;
    }

    public void Put(in HistoryEntry entry)
    {
        for (int i = 0; i < _types.Length; i++)
        {
            if (_types[i].IsInstanceOfType(entry.Event))
                _newest[i] = entry;
        }

        Recount();
    }

    /// <summary>Forgets what was published up to a moment.</summary>
    /// <returns>The greatest sequence that was forgotten; 0: none was.</returns>
    public long Expire(long throughTicks)
    {
        long lost = 0;
        foreach (ref HistoryEntry entry in _newest.AsSpan())
        {
            if (entry.Sequence == 0 || entry.PublishedAtTicks > throughTicks)
                continue;
            lost = Math.Max(lost, entry.Sequence);
            entry = default;
        }

        if (lost > 0)
            Recount();
        return lost;
    }

    /// <summary>A copy of all events, oldest first. Only while there are some.</summary>
    public HistoryCut Cut()
    {
        HistorySegment copy = new(Count);
        int next = 0;
        for (int i = 0; i < _newest.Length; i++)
        {
            if (IsFirst(i))
                copy.Entries[next++] = _newest[i];
        }

        Array.Sort(copy.Entries, BySequence);
        return HistoryCut.Of(copy);
    }

    private void Recount()
    {
        Count = 0;
        for (int i = 0; i < _newest.Length; i++)
            Count += IsFirst(i) ? 1 : 0;
    }

    /// <summary>Whether an event stands in a place, and in none before it.</summary>
    private bool IsFirst(int place)
    {
        long sequence = _newest[place].Sequence;
        for (int i = 0; i < place; i++)
        {
            if (_newest[i].Sequence == sequence)
                return false;
        }

        return sequence > 0;
    }
}
