using EventBus.Delivery;

namespace EventBus.History;

/// <summary>Reads cuts of several topics as one stream in the order of their sequences, those of one type.</summary>
/// <remarks>
/// Reading is done under the channel's lock, so it must not search: a cut of which not every event is wanted is copied without the
/// others, here, where no lock is held. The usual one is read where history has it.
/// </remarks>
internal sealed class HistoryCursor<TEvent> : ReplayCursor<TEvent>
    where TEvent : notnull
{
    /// <summary>The topics that have events left, the one with the oldest first.</summary>
    private readonly PriorityQueue<TopicCursor, long> _topics = new();
    private int _remaining;

    public HistoryCursor(ReplayPlan plan)
    {
        long after = plan.Replay.Kind == ReplayKind.After ? plan.Replay.Value : 0;
        foreach (HistoryCut cut in plan.Cuts)
        {
            int count = Count(cut, after);
            if (count == 0)
                continue;
            _remaining += count;
            TopicCursor topic = new(count == cut.Count ? cut : Filter(cut, after, count));
            _topics.Enqueue(topic, topic.Current.Sequence);
        }

        if (plan.Replay.Kind == ReplayKind.Last)
        {
            while (_remaining > plan.Replay.Value)
                Read(out _);
        }
    }

    public override int Remaining => _remaining;

    public override void Peek(out Slot<TEvent> slot) => slot = ToSlot(_topics.Peek().Current);

    public override void Read(out Slot<TEvent> slot)
    {
        TopicCursor topic = _topics.Peek();
        slot = ToSlot(topic.Current);
        _remaining--;
        if (topic.MoveNext())
            _topics.DequeueEnqueue(topic, topic.Current.Sequence);
        else
            _topics.Dequeue();
    }

    private static bool IsWanted(in HistoryEntry entry, long after) => entry.Event is TEvent && entry.Sequence > after;

    private static int Count(in HistoryCut cut, long after)
    {
        int count = 0;
        TopicCursor topic = new(cut with { Segments = [.. cut.Segments] });
        do
            count += IsWanted(topic.Current, after) ? 1 : 0;
        while (topic.MoveNext());
        return count;
    }

    private static HistoryCut Filter(in HistoryCut cut, long after, int count)
    {
        HistorySegment wanted = new(count);
        TopicCursor topic = new(cut);
        int index = 0;
        do
        {
            if (IsWanted(topic.Current, after))
                wanted.Entries[index++] = topic.Current;
        }
        while (topic.MoveNext());
        return new HistoryCut([wanted], Start: 0, count);
    }

    private static Slot<TEvent> ToSlot(in HistoryEntry entry) => new()
    {
        Event = (TEvent)entry.Event,
        Origin = entry.Origin,
        Sequence = entry.Sequence,
        PublishedAtTicks = entry.PublishedAtTicks,
    };

    /// <summary>Reads one cut, which has at least one entry, and lets go of each segment when it is through with it.</summary>
    private sealed class TopicCursor(HistoryCut cut)
    {
        private int _segment;
        private int _index = cut.Start;
        private int _left = cut.Count;

        public ref readonly HistoryEntry Current => ref cut.Segments[_segment]!.Entries[_index];

        public bool MoveNext()
        {
            if (--_left == 0)
                return false;
            if (++_index == cut.Segments[_segment]!.Entries.Length)
            {
                cut.Segments[_segment++] = null;
                _index = 0;
            }

            return true;
        }
    }
}
