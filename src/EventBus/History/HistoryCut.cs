namespace EventBus.History;

/// <summary>
/// A topic's history at one moment, read from its oldest entry on. It refers to the segments instead of copying their entries; those it
/// refers to do not change any more, so it is read without the history's lock, by one thread at a time.
/// </summary>
internal sealed class HistoryCut
{
    /// <summary>The segments, oldest first; null once they are read.</summary>
    private readonly HistorySegment?[] _segments;

    /// <summary>Where the newest entry stands in the last segment.</summary>
    private readonly int _newest;

    /// <summary>Whether nobody else has the segments, so that what was read can be let go of entry by entry.</summary>
    private readonly bool _isOwned;

    /// <summary>Where the next entry stands.</summary>
    private int _segment;
    private int _index;

    private HistoryCut(HistorySegment?[] segments, int start, int end, int count, bool isOwned)
    {
        _segments = segments;
        _index = start;
        _newest = end - 1;
        Count = count;
        _isOwned = isOwned;
    }

    /// <summary>How many entries are left.</summary>
    public int Count { get; private set; }

    /// <summary>The next entry. Only while some are left.</summary>
    public ref readonly HistoryEntry Current => ref _segments[_segment]!.Entries[_index];

    /// <summary>The newest entry. Only while some are left.</summary>
    public ref readonly HistoryEntry Newest => ref _segments[^1]!.Entries[_newest];

    /// <summary>A cut of segments that the history keeps. Under the history's lock.</summary>
    /// <param name="segments">The segments, oldest first.</param>
    /// <param name="start">Where the oldest entry stands in the first.</param>
    /// <param name="end">Behind the newest entry in the last.</param>
    /// <param name="count">How many entries there are.</param>
    public static HistoryCut Of(List<HistorySegment> segments, int start, int end, int count)
    {
        HistorySegment[] copy = [.. segments];
        HistoryCut cut = new(copy, start, end, count, isOwned: false);
        foreach (HistorySegment segment in copy)
            segment.IsShared = true;
        return cut;
    }

    /// <summary>A cut of entries that nobody else has, oldest first.</summary>
    public static HistoryCut Of(HistorySegment owned) => new([owned], start: 0, owned.Entries.Length, owned.Entries.Length, isOwned: true);

    /// <summary>Goes on to the next entry, and lets go of the segment when it is through with it.</summary>
    /// <returns>False if there is none.</returns>
    public bool MoveNext()
    {
        HistorySegment segment = _segments[_segment]!;
        if (_isOwned)
            segment.Entries[_index] = default;
        if (--Count == 0)
        {
            _segments[_segment] = null;
            return false;
        }

        if (++_index == segment.Entries.Length)
            NextSegment();
        return true;
    }

    /// <summary>Goes on to the first entry behind a position, without looking at all those before it.</summary>
    /// <returns>False if there is none.</returns>
    public bool SkipThrough(long sequence)
    {
        if (Count == 0 || Newest.Sequence <= sequence)
            return false;
        while (_segment < _segments.Length - 1 && _segments[_segment]!.Entries[^1].Sequence <= sequence)
        {
            Count -= _segments[_segment]!.Entries.Length - _index;
            NextSegment();
        }

        HistoryEntry[] entries = _segments[_segment]!.Entries;
        int low = _index, high = _segment == _segments.Length - 1 ? _newest : entries.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (entries[middle].Sequence <= sequence)
                low = middle + 1;
            else
                high = middle;
        }

        Count -= low - _index;
        _index = low;
        return true;
    }

    /// <summary>Goes on to the first entry that was published after a moment.</summary>
    /// <returns>The sequence of the last one before it; 0: there is none.</returns>
    public long SkipPublishedThrough(long ticks)
    {
        long skipped = 0;
        while (Count > 0 && Current.PublishedAtTicks <= ticks)
        {
            skipped = Current.Sequence;
            MoveNext();
        }

        return skipped;
    }

    /// <summary>How many of those that are left are of a type. Stays where it is.</summary>
    public int CountOf<TEvent>()
    {
        int count = 0;
        Position position = new(this, isAtOldest: true);
        for (int left = Count; left > 0; left--, position.ToNewer())
            count += position.Current.Event is TEvent ? 1 : 0;
        return count;
    }

    /// <summary>Copies those of a type, and is used up.</summary>
    /// <param name="count">How many there are; at least 1.</param>
    public HistoryCut Only<TEvent>(int count)
    {
        HistorySegment copy = new(count);
        int next = 0;
        do
        {
            if (Current.Event is TEvent)
                copy.Entries[next++] = Current;
        }
        while (MoveNext());
        return Of(copy);
    }

    private void NextSegment()
    {
        _segments[_segment++] = null;
        _index = 0;
    }

    /// <summary>A place in a cut, from which it is read in either direction without being used up.</summary>
    internal struct Position
    {
        private readonly HistoryCut _cut;
        private int _segment;
        private int _index;

        /// <summary>The place of the oldest or the newest entry of those that are left, which must be some.</summary>
        public Position(HistoryCut cut, bool isAtOldest)
        {
            _cut = cut;
            (_segment, _index) = isAtOldest ? (cut._segment, cut._index) : (cut._segments.Length - 1, cut._newest);
        }

        public readonly ref readonly HistoryEntry Current => ref _cut._segments[_segment]!.Entries[_index];

        /// <summary>Goes to the next newer entry, or behind the newest.</summary>
        public void ToNewer()
        {
            if (++_index == _cut._segments[_segment]!.Entries.Length)
                (_segment, _index) = (_segment + 1, 0);
        }

        /// <summary>Goes to the next older entry.</summary>
        /// <returns>False if there is none.</returns>
        public bool TryToOlder()
        {
            if (_segment == _cut._segment && _index == _cut._index)
                return false;
            if (--_index < 0)
                _index = _cut._segments[--_segment]!.Entries.Length - 1;
            return true;
        }
    }
}
