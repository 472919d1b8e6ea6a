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
    private readonly PriorityQueue<HistoryCut, long> _topics = new();
    private int _remaining;

    public HistoryCursor(ReplayPlan plan)
    {
        long after = plan.Replay.Kind switch
        {
            ReplayKind.After => plan.Replay.Value,
            ReplayKind.Last => BeforeLast(plan.Cuts, plan.Replay.Value),
            _ => 0,
        };
        foreach (HistoryCut cut in plan.Cuts)
        {
            if (!cut.SkipThrough(after))
                continue;
            int count = cut.CountOf<TEvent>();
            if (count == 0)
                continue;
            _remaining += count;
            HistoryCut wanted = count == cut.Count ? cut : cut.Only<TEvent>(count);
            _topics.Enqueue(wanted, wanted.Current.Sequence);
        }
    }

    public override int Remaining => _remaining;

    public override void Peek(out Slot<TEvent> slot) => slot = ToSlot(_topics.Peek().Current);

    public override void Read(out Slot<TEvent> slot)
    {
        HistoryCut topic = _topics.Peek();
        slot = ToSlot(topic.Current);
        _remaining--;
        if (topic.MoveNext())
            _topics.DequeueEnqueue(topic, topic.Current.Sequence);
        else
            _topics.Dequeue();
    }

    /// <summary>The position after which the last so many events of the type are. Looks at no event that is older than those.</summary>
    private static long BeforeLast(List<HistoryCut> cuts, long count)
    {
        if (count == 0)
            return long.MaxValue;
        PriorityQueue<HistoryCut.Position, long> newest = new(
            cuts.Select(c => (new HistoryCut.Position(c, isAtOldest: false), -c.Newest.Sequence)));
        while (newest.TryPeek(out HistoryCut.Position position, out _))
        {
            HistoryEntry entry = position.Current;
            if (entry.Event is TEvent && --count == 0)
                return entry.Sequence - 1;
            if (position.TryToOlder())
                newest.DequeueEnqueue(position, -position.Current.Sequence);
            else
                newest.Dequeue();
        }

        return 0;
    }

    private static Slot<TEvent> ToSlot(in HistoryEntry entry) => new()
    {
        Event = (TEvent)entry.Event,
        Origin = entry.Origin,
        Sequence = entry.Sequence,
        PublishedAtTicks = entry.PublishedAtTicks,
    };
}
