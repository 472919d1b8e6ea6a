using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What a subscription costs in memory that has nothing to do. (What one costs that has: see the question about bursts.)</summary>
internal static class IdleSubscriptions
{
    public static readonly Question Question = new(
        "idle",
        "Bytes of each of 100,000 subscriptions, to one topic, to 100 and to one each, all included: the handle, its reader, its place in the bus; " +
        "without and with a task that waits to read, and after 64 events went through it. The loop has its channels, and nothing to find them by.",
        Answer);

    private const int Events = 64;

    private static readonly BoundedChannelOptions Bounded = new(1024) { SingleReader = true };

    private static IEnumerable<Table> Answer(Effort effort)
    {
        int count = effort.Times(100_000);
        Table table = new("topics × subscriptions", "", "idle", "and waiting", "used before", "vs loop", "target");
        double[] loop = Loop(count);
        table.Add($"{count:#,0}", "loop", Table.Bytes(loop[0]), Table.Bytes(loop[1]), Table.Bytes(loop[2]), "", "");
        foreach ((int topics, int target) in new[] { (1, 300), (100, 300), (count, 0) })
        {
            double[] ours = Bus(topics, count / topics);
            table.Add(
                $"{topics:#,0} × {count / topics:#,0}",
                "EventBus",
                Table.Bytes(ours[0]),
                Table.Bytes(ours[1]),
                Table.Bytes(ours[2]),
                Table.Ratio(ours[0] / loop[0]),
                target == 0 ? "" : $"≤ {target} B {Table.Met(ours[0] <= target)}");
        }

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
                for (int e = 0; e < Events; e++)
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

    private static double[] Bus(int topics, int subscribers)
    {
        using InProcessEventBus bus = new();

        // Made beforehand: a topic's name is its user's.
        string[] names = [.. Enumerable.Range(0, topics).Select(i => $"market:{i}:ticks")];
        ChannelReader<Envelope<Tick>>[] readers = new ChannelReader<Envelope<Tick>>[topics * subscribers];
        return Measure(
            readers.Length,
            i => readers[i] = bus.Subscribe<Tick>(names[i % topics]).Reader,
            i => readers[i].WaitToReadAsync().AsTask(),
            () =>
            {
                foreach (string name in names)
                {
                    for (int e = 0; e < Events; e++)
                        bus.Publish<Tick>(name, default);
                }

                foreach (ChannelReader<Envelope<Tick>> reader in readers)
                {
                    int read = 0;
                    while (reader.TryRead(out _))
                        read++;
                    if (read != Events)
                        throw new LostEventException($"{read} of {Events} events");
                }
            },
            bus.Dispose);
    }

    private static double[] Measure(int count, Action<int> subscribe, Func<int, Task<bool>> wait, Action use, Action end)
    {
        Task<bool>[] waits = new Task<bool>[count];
        long before = Memory.Held();
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

        double Each() => (double)(Memory.Held() - before) / count;
    }
}
