using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What a burst costs in memory while nobody reads it, and when everybody has.</summary>
internal static class HeldByBursts
{
    public static readonly Question Question = new(
        "held",
        "Bytes held by a burst of 900 events to 1 and to 1,024 subscribers that do not read yet, and after all have read everything. The subscriptions " +
        "themselves are not counted. A thousand should hold no more than one does.",
        Answer);

    private const int Length = 900;

    /// <summary>What else the process keeps meanwhile; a single event of each of a thousand subscribers is more.</summary>
    private const long Tolerance = 16 * 1024;

    private static IEnumerable<Table> Answer(Effort effort)
    {
        Table table = new("subscribers", "", "unread", "all read", "vs loop", "target");

        // What the first burst of a process leaves behind is not this one's.
        Loop(1);
        Bus(1);
        long one = 0;
        foreach (int subscribers in new[] { 1, effort.IsQuick ? 64 : 1024 })
        {
            Held loop = Loop(subscribers), ours = Bus(subscribers);
            table.Add($"{subscribers:#,0}", "loop", Table.Bytes(loop.Unread), Table.Bytes(loop.Read), "", "");
            table.Add(
                "",
                "EventBus",
                Table.Bytes(ours.Unread),
                Table.Bytes(ours.Read),
                Table.Ratio((double)ours.Unread / loop.Unread),
                subscribers == 1 ? "" : $"≤ {Table.Bytes(one + Tolerance)} {Table.Met(ours.Unread <= one + Tolerance)}");
            one = ours.Unread;
        }

        yield return table;
    }

    private static Held Loop(int subscribers)
    {
        Channel<Tick>[] channels =
            [.. Enumerable.Range(0, subscribers).Select(_ => Channel.CreateBounded<Tick>(new BoundedChannelOptions(1024) { SingleReader = true }))];
        return Measure(
            subscribers,
            tick =>
            {
                foreach (Channel<Tick> channel in channels)
                    channel.Writer.TryWrite(tick);
            },
            i => channels[i].Reader.TryRead(out Tick tick) ? tick.Number : -1);
    }

    private static Held Bus(int subscribers)
    {
        using InProcessEventBus bus = new();
        ChannelReader<Envelope<Tick>>[] readers = [.. Enumerable.Range(0, subscribers).Select(_ => bus.Subscribe<Tick>("market:ticks").Reader)];
        return Measure(
            subscribers,
            tick => bus.Publish("market:ticks", tick),
            i => readers[i].TryRead(out Envelope<Tick> envelope) && envelope.Missed == 0 ? envelope.Event.Number : -1);
    }

    private static Held Measure(int subscribers, Action<Tick> publish, Func<int, long> read)
    {
        long before = Memory.Held();
        for (int e = 0; e < Length; e++)
            publish(new Tick(e, 1, 2, 3));
        long unread = Memory.Held() - before;
        for (int i = 0; i < subscribers; i++)
        {
            for (int e = 0; e < Length; e++)
            {
                if (read(i) != e)
                    throw new LostEventException($"Subscriber {i} did not get event {e}.");
            }
        }

        Held held = new(unread, Memory.Held() - before);

        // The subscriptions, until here.
        GC.KeepAlive(read);
        return held;
    }

    private readonly record struct Held(long Unread, long Read);
}
