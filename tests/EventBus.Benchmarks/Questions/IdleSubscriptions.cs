using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What a subscription costs in memory that has nothing to do.</summary>
internal static class IdleSubscriptions
{
    public static readonly Question Question = new(
        "idle",
        "Bytes of each of 100,000 subscriptions to one topic, all included: the handle, its reader, its place in the bus; without and with a task " +
        "that waits to read, and after 64 events went through it.",
        Answer);

    private static readonly BoundedChannelOptions Bounded = new(1024) { SingleReader = true };

    private static IEnumerable<Table> Answer(Effort effort)
    {
        int count = effort.Times(100_000);
        Table table = new("subscriptions", "", "idle", "and waiting", "used before", "vs loop", "target");
        double[] loop = Loop(count), ours = Bus(count);
        table.Add($"{count:#,0}", "loop", Table.Bytes(loop[0]), Table.Bytes(loop[1]), Table.Bytes(loop[2]), "", "");
        table.Add(
            "", "EventBus", Table.Bytes(ours[0]), Table.Bytes(ours[1]), Table.Bytes(ours[2]), Table.Ratio(ours[0] / loop[0]), $"≤ 1,300 B {Table.Met(ours[0] <= 1300)}");
        yield return table;
    }

    private static double[] Loop(int count)
    {
        Channel<Tick>[] channels = new Channel<Tick>[count];
        return Measure(
            count,
            i => channels[i] = Channel.CreateBounded<Tick>(Bounded),
            i => channels[i].Reader.WaitToReadAsync().AsTask(),
            () =>
            {
                for (int e = 0; e < 64; e++)
                {
                    foreach (Channel<Tick> channel in channels)
                        channel.Writer.TryWrite(default);
                }

                foreach (Channel<Tick> channel in channels)
                {
                    while (channel.Reader.TryRead(out _))
                    {
                    }
                }
            },
            () => Array.ForEach(channels, c => c.Writer.Complete()));
    }

    private static double[] Bus(int count)
    {
        using InProcessEventBus bus = new();
        ChannelReader<Envelope<Tick>>[] readers = new ChannelReader<Envelope<Tick>>[count];
        return Measure(
            count,
            i => readers[i] = bus.Subscribe<Tick>("market:ticks").Reader,
            i => readers[i].WaitToReadAsync().AsTask(),
            () =>
            {
                for (int e = 0; e < 64; e++)
                    bus.Publish<Tick>("market:ticks", default);
                foreach (ChannelReader<Envelope<Tick>> reader in readers)
                {
                    while (reader.TryRead(out _))
                    {
                    }
                }
            },
            bus.Dispose);
    }

    private static double[] Measure(int count, Action<int> subscribe, Func<int, Task<bool>> wait, Action use, Action end)
    {
        Task<bool>[] waits = new Task<bool>[count];
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int i = 0; i < count; i++)
            subscribe(i);
        double idle = Each();
        use();
        double used = Each();
        for (int i = 0; i < count; i++)
            waits[i] = wait(i);
        double waiting = Each() - used + idle;
        end();
        Task.WaitAll(waits);
        return [idle, waiting, used];

        double Each() => (double)(GC.GetTotalMemory(forceFullCollection: true) - before) / count;
    }
}
