using System.Diagnostics;
using System.Numerics;

namespace EventBus.History;

/// <summary>The last events of one topic, in segments that replays share. Guarded by the history's lock.</summary>
/// <remarks>
/// <para>
/// Segments rather than one ring, so that a replay is a copy of a few references and never holds up a publisher, however deep
/// the history; and a list of references rather than a chain, because a slow replay that held the start of a chain would keep
/// all that is published after it. Their length grows with the root of the depth: at most about a thousand references, and
/// at most one segment more than the events kept. A segment that no replay has seen is used again, so that publishing
/// allocates nothing once the history is full.
/// </para>
/// <para>
/// Nothing that was removed stays referenced: a segment that a replay shares, which must not be cleared, is exchanged for a copy when
/// the first of its entries goes.
/// </para>
/// <para>An event is added entirely or, out of memory, not at all: what may fail comes before what changes.</para>
/// </remarks>
internal sealed class TopicHistory
{
    private const int FirstLength = 4;
    private readonly HistoryBounds _bounds;
    private readonly int _segmentLength;
    private readonly List<HistorySegment> _segments = [];
    private HistorySegment? _last;
    private HistorySegment? _spare;

    /// <summary>Where the oldest entry stands in the first segment.</summary>
    private int _start;

    /// <summary>Entries in the last segment, those no longer kept included.</summary>
    private int _lastCount;

    /// <summary>How many entries the segments have.</summary>
    private int _count;

    /// <summary>What is kept beside the segments; null as long as there was none.</summary>
    private LatestEvents? _latest;

    public TopicHistory(string topic, HistoryBounds bounds, long lostThrough)
    {
        Allocation.Begin();
        Topic = topic;
        IsOwn = TopicRules.IsOwn(topic);
        LostThrough = lostThrough;
        _bounds = bounds;
        _segmentLength = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Ceiling(Math.Sqrt(bounds.Depth)));
        Node = new LinkedListNode<TopicHistory>(this);
    }

    public string Topic { get; }

    /// <summary>Whether the topic is one of the bus's own, which statistics leave out.</summary>
    public bool IsOwn { get; }

    /// <summary>Its place in its rule's order of use.</summary>
    public LinkedListNode<TopicHistory> Node { get; }

    /// <summary>Its place in its rule's order of age; below 0 while it has none.</summary>
    public int AgePlace { get; set; } = -1;

    /// <summary>Nothing here was published before; while it has a place in the order of age.</summary>
    public long AgesSince { get; set; }

    /// <summary>The last cut of several topics that has what it wants of this one.</summary>
    public long CutNumber { get; set; }

    public int Count => _count + (_latest?.Count ?? 0);

    /// <summary>Whether the topic's stream has ended.</summary>
    public bool IsCompleted { get; set; }

    /// <summary>Events up to this sequence may be missing here.</summary>
    public long LostThrough { get; private set; }

    /// <summary>The sequence of the newest event there ever was here.</summary>
    public long LastSequence { get; private set; }

    /// <summary>When the oldest event was published; the greatest time if there is none.</summary>
    public long OldestTicks
    {
        get
        {
            long oldest = _latest?.OldestTicks ?? long.MaxValue;
            return _count > 0 ? Math.Min(oldest, _segments[0].Entries[_start].PublishedAtTicks) : oldest;
        }
    }

    /// <summary>How many entries of the first segment are kept.</summary>
    private int FirstCount => Math.Min(_count, _segments[0].Entries.Length - _start);

    public void Append(in HistoryEntry entry)
    {
        if (LatestEvents.Are(_bounds.LatestOnly, entry.Event))
            (_latest ??= new LatestEvents(_bounds.LatestOnly)).Put(in entry);
        else
            Add(in entry);
        LastSequence = entry.Sequence;
    }

    /// <summary>Counts an event that could not be added as one that was and has gone.</summary>
    public void Lose(long sequence) => LostThrough = LastSequence = sequence;

    /// <summary>Forgets what is too old by a time, and the memory it took.</summary>
    /// <param name="nowTicks">The time.</param>
    /// <param name="most">About how many events to forget at most.</param>
    public void Expire(long nowTicks, int most)
    {
        long throughTicks = nowTicks - _bounds.MaxAgeTicks;
        if (_latest?.Expire(throughTicks) is { } lost and > 0)
            LostThrough = Math.Max(LostThrough, lost);
        while (_count > 0 && most > 0)
        {
            HistoryEntry[] first = _segments[0].Entries;
            int kept = FirstCount, expired = 0;
            while (expired < kept && first[_start + expired].PublishedAtTicks <= throughTicks)
                expired++;
            if (expired > 0)
                RemoveFirst(expired);
            if (expired < kept)
                return;
            most -= expired;
        }

        if (_count == 0)
        {
            _spare = null;
            _segments.Capacity = 0;
        }
    }

    /// <summary>Adds what there is now to a list of cuts, without what is too old by a time.</summary>
    /// <returns>The greatest sequence that was too old; 0: none was.</returns>
    public long Cut(List<HistoryCut> cuts, long nowTicks)
    {
        long expired = 0;
        if (_count > 0)
            Add(HistoryCut.Of(_segments, _start, _lastCount, _count));
        if (_latest is { Count: > 0 })
            Add(_latest.Cut());
        return expired;

        void Add(HistoryCut cut)
        {
            if (_bounds.MaxAgeTicks > 0)
                expired = Math.Max(expired, cut.SkipPublishedThrough(nowTicks - _bounds.MaxAgeTicks));
            if (cut.Count > 0)
                cuts.Add(cut);
        }
    }

    private void Add(in HistoryEntry entry)
    {
        HistorySegment? added = null;
        if (_last is null || _lastCount == _last.Entries.Length)
        {
            added = _spare ?? new HistorySegment(NextLength());
            _segments.EnsureCapacity(_segments.Count + 1);
        }

        // Nothing from here on can fail.
        if (added == _spare)
            _spare = null;
        if (_count == _bounds.Depth)
            RemoveFirst(1);
        if (added is not null)
        {
            _segments.Add(_last = added);
            _lastCount = 0;
        }

        _last!.Entries[_lastCount++] = entry;
        _count++;
    }

    /// <summary>Removes the oldest entries; not more than the first segment has.</summary>
    private void RemoveFirst(int count)
    {
        Debug.Assert(count > 0 && count <= FirstCount, "they are not kept");
        HistorySegment first = _segments[0];
        bool isThrough = _start + count == first.Entries.Length || count == _count;
        if (!isThrough && first.IsShared)
            first = Exchange(first);
        LostThrough = Math.Max(LostThrough, first.Entries[_start + count - 1].Sequence);
        if (!first.IsShared)
            first.Entries.AsSpan(_start, count).Clear();
        _count -= count;
        _start += count;
        if (!isThrough)
            return;
        _segments.RemoveAt(0);
        _start = 0;
        if (first == _last)
            _last = null;
        if (!first.IsShared && first.Entries.Length == _segmentLength)
            _spare = first;
    }

    /// <summary>Puts a copy of what is kept of the first segment in its place, which nobody shares.</summary>
    /// <returns>The copy; out of memory the segment itself: then what it had stays referenced until it is gone.</returns>
    private HistorySegment Exchange(HistorySegment first)
    {
        HistorySegment copy;
        try
        {
            copy = new HistorySegment(first.Entries.Length);
        }
        catch (OutOfMemoryException)
        {
            return first;
        }

        Array.Copy(first.Entries, _start, copy.Entries, _start, FirstCount);
        if (first == _last)
            _last = copy;
        return _segments[0] = copy;
    }

    /// <remarks>The first segments double, so that a topic with few events takes little.</remarks>
    private int NextLength() => Math.Min(_last is null ? FirstLength : _last.Entries.Length * 2, _segmentLength);
}
