using System.Diagnostics;
using System.Numerics;

namespace EventBus.History;

/// <summary>The last events of one topic, in segments that replays share. Guarded by the history's lock.</summary>
/// <remarks>
/// Segments rather than one ring, so that a replay is a copy of a few references and never holds up a publisher, however deep
/// the history; and an array of references rather than a chain, because a slow replay that held the start of a chain would keep
/// all that is published after it. Their length grows with the root of the depth: at most about a thousand references, and
/// at most one segment more than the events kept. A segment that no replay has seen is used again, so that publishing
/// allocates nothing once the history is full.
/// </remarks>
internal sealed class TopicHistory
{
    private const int FirstLength = 4;
    private readonly int _depth;
    private readonly int _segmentLength;
    private readonly Queue<HistorySegment> _segments = new();
    private HistorySegment? _last;
    private HistorySegment? _spare;

    /// <summary>Where the oldest entry stands in the first segment.</summary>
    private int _start;

    /// <summary>Entries in the last segment, those no longer kept included.</summary>
    private int _lastCount;

    public TopicHistory(string topic, int depth, long lostThrough)
    {
        Topic = topic;
        LostThrough = lostThrough;
        _depth = depth;
        _segmentLength = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Ceiling(Math.Sqrt(depth)));
    }

    public string Topic { get; }

    public int Count { get; private set; }

    /// <summary>Whether the topic's stream has ended.</summary>
    public bool IsCompleted { get; set; }

    /// <summary>Events up to this sequence may be missing here.</summary>
    public long LostThrough { get; private set; }

    /// <summary>The sequence of the newest event there ever was here.</summary>
    public long LastSequence { get; private set; }

    public void Append(in HistoryEntry entry)
    {
        if (Count == _depth)
            RemoveFirst();
        if (_last is null || _lastCount == _last.Entries.Length)
            AddSegment();
        _last!.Entries[_lastCount++] = entry;
        Count++;
        LastSequence = entry.Sequence;
    }

    /// <summary>Forgets what was published up to a moment.</summary>
    public void Expire(long throughTicks)
    {
        while (Count > 0 && _segments.Peek().Entries[_start].PublishedAtTicks <= throughTicks)
            RemoveFirst();
    }

    public HistoryCut Cut()
    {
        HistorySegment[] segments = [.. _segments];
        foreach (HistorySegment segment in segments)
            segment.IsShared = true;
        return new HistoryCut(segments, _start, Count);
    }

    private void RemoveFirst()
    {
        Debug.Assert(Count > 0, "nothing is kept");
        HistorySegment first = _segments.Peek();
        ref HistoryEntry oldest = ref first.Entries[_start];
        LostThrough = oldest.Sequence;
        if (!first.IsShared)
            oldest = default;
        Count--;
        if (++_start < first.Entries.Length)
            return;
        _segments.Dequeue();
        _start = 0;
        if (first == _last)
            _last = null;
        if (!first.IsShared && first.Entries.Length == _segmentLength)
            _spare = first;
    }

    private void AddSegment()
    {
        // The first segments double, so that a topic with few events takes little.
        int length = _last is null ? Math.Min(FirstLength, _segmentLength) : Math.Min(_last.Entries.Length * 2, _segmentLength);
        _last = _spare ?? new HistorySegment(length);
        _spare = null;
        _lastCount = 0;
        _segments.Enqueue(_last);
    }
}
