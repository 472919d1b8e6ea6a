using EventBus.Delivery;

namespace EventBus.History;

/// <summary>Reads cuts of several topics as one stream in the order of their sequences, those of one type.</summary>
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
            _remaining += CountAll(cut, after);
            Enqueue(new TopicCursor(cut, after));
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
        TopicCursor topic = _topics.Dequeue();
        slot = ToSlot(topic.Current);
        _remaining--;
        Enqueue(topic);
    }

    private static int CountAll(in HistoryCut cut, long after)
    {
        int count = 0, index = cut.Start, segment = 0;
        for (int left = cut.Count; left > 0; left--)
        {
            if (index == cut.Segments[segment]!.Entries.Length)
                (segment, index) = (segment + 1, 0);
            ref readonly HistoryEntry entry = ref cut.Segments[segment]!.Entries[index++];
            if (entry.Event is TEvent && entry.Sequence > after)
                count++;
        }

        return count;
    }

    private static Slot<TEvent> ToSlot(in HistoryEntry entry) => new()
    {
        Event = (TEvent)entry.Event,
        Origin = entry.Origin,
        Sequence = entry.Sequence,
        PublishedAtTicks = entry.PublishedAtTicks,
    };

    private void Enqueue(TopicCursor topic)
    {
        if (topic.MoveNext())
            _topics.Enqueue(topic, topic.Current.Sequence);
    }

    /// <summary>Reads one cut, and lets go of each segment when it is through with it.</summary>
    private sealed class TopicCursor(HistoryCut cut, long after)
    {
        private int _segment;
        private int _index = cut.Start - 1;
        private int _left = cut.Count;

        public ref readonly HistoryEntry Current => ref cut.Segments[_segment]!.Entries[_index];

        public bool MoveNext()
        {
            while (_left > 0)
            {
                _left--;
                if (++_index == cut.Segments[_segment]!.Entries.Length)
                {
                    cut.Segments[_segment++] = null;
                    _index = 0;
                }

                if (Current.Event is TEvent && Current.Sequence > after)
                    return true;
            }

            return false;
        }
    }
}
