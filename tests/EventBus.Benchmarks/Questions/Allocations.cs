using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What is allocated in steady state, over every thread and to the byte.</summary>
internal static class Allocations
{
    public static readonly Question Question = new(
        "bytes",
        "Bytes allocated by the whole process per publish to 1, 8 and 64 subscribers and per delivery, after a warm-up: consumers that wait now and " +
        "then, that catch up after every event, and that have fallen asleep before each. Waiting without a token; a wait with a token must register with it.",
        Answer);

    private const int Length = 512;
    /// <summary>When the next event, or burst of them, comes.</summary>
    private enum Pace
    {
        /// <summary>512 at once, when the last have been received.</summary>
        Bursts,

        /// <summary>One, when the last was received: consumers are just about to wait.</summary>
        CaughtUp,

        /// <summary>One, a millisecond later: consumers wait, and the pool's threads sleep.</summary>
        Asleep,
    }

    private static IEnumerable<Table> Answer(Effort effort)
    {
        Table table = new("how", "consumers wait", "subscribers", "per publish", "per delivery", "target");
        foreach (Pace pace in Enum.GetValues<Pace>())
        {
            foreach (int subscribers in new[] { 1, 8, 64 })
            {
                Add(Loop(subscribers, pace, effort));
                Add(Bus("EventBus, Reader", subscribers, pace, effort, s => s.Reader));
                Add(Bus("EventBus, await foreach", subscribers, pace, effort, reader: null));
                if (pace == Pace.Bursts)
                    Add(Bus("EventBus, PublishAsync", subscribers, pace, effort, s => s.Reader, isAsync: true));

                void Add(Contender contender) => AddBytes(table, contender, pace, subscribers, effort);
            }
        }

        yield return table;
    }

    private static void AddBytes(Table table, Contender contender, Pace pace, int subscribers, Effort effort)
    {
        for (int i = 0; i < effort.Warmups; i++)
            contender.Round();
        Series series = Series.Of(contender.Name, [.. Enumerable.Range(0, effort.Rounds).Select(_ => contender.Round())]);
        contender.End!();
        double each = series.Bytes / subscribers;
        table.Add(
            contender.Name,
            pace switch { Pace.Bursts => "after every 512 events", Pace.CaughtUp => "after every event", _ => "a millisecond between events" },
            $"{subscribers}",
            Table.Bytes(series.Bytes),
            Table.Bytes(each),
            contender.Name == "loop" ? "" : $"0 B {Table.Met(Table.Bytes(each) == "0 B")}");
    }

    private static Contender Loop(int subscribers, Pace pace, Effort effort)
    {
        Channel<Tick>[] channels =
            [.. Enumerable.Range(0, subscribers).Select(_ => Channel.CreateBounded<Tick>(new BoundedChannelOptions(1024) { SingleReader = true }))];
        return Contend(
            "loop",
            subscribers,
            pace,
            effort,
            (i, counter) => ReadAsync(channels[i].Reader, counter),
            number =>
            {
                Tick tick = new(number, 1, 2, 3);
                foreach (Channel<Tick> channel in channels)
                    channel.Writer.TryWrite(tick);
            },
            () => Array.ForEach(channels, c => c.Writer.Complete()));
    }

    private static Contender Bus(
        string name,
        int subscribers,
        Pace pace,
        Effort effort,
        Func<Subscription<Tick>, ChannelReader<Envelope<Tick>>>? reader,
        bool isAsync = false)
    {
        InProcessEventBus bus = new();
        return Contend(
            name,
            subscribers,
            pace,
            effort,
            (_, counter) =>
            {
                Subscription<Tick> subscription = bus.Subscribe<Tick>("market:ticks");
                return reader is null ? EnumerateAsync(subscription, counter) : ReadAsync(reader(subscription), counter);
            },
            number =>
            {
                Tick tick = new(number, 1, 2, 3);
                if (!isAsync)
                    bus.Publish("market:ticks", tick);
                else
                    MustBeDone(bus.PublishAsync("market:ticks", tick));
            },
            bus.Dispose);
    }

    private static Contender Contend(
        string name, int subscribers, Pace pace, Effort effort, Func<int, Window.Counter, Task> consume, Action<long> publish, Action end)
    {
        int step = pace == Pace.Bursts ? Length : 1;
        int bursts = effort.Times(pace switch { Pace.Bursts => 3200 / (subscribers + 8), Pace.CaughtUp => 400, _ => 60 });
        Window window = new(subscribers, step, steps: 1);
        Task[] consumers = [.. window.Counters.Select((counter, i) => consume(i, counter))];
        long published = 0;
        return new(
            name,
            () =>
            {
                long bytes = GC.GetTotalAllocatedBytes(precise: true);
                for (int i = 0; i < bursts; i++)
                {
                    window.Take();
                    if (pace == Pace.Asleep)
                        Thread.Sleep(1);
                    for (int e = 0; e < step; e++)
                        publish(1);
                    published += step;
                }

                // The bytes first: checking allocates.
                window.Take();
                bytes = GC.GetTotalAllocatedBytes(precise: true) - bytes;
                window.Return();
                window.AwaitAll(published, published);
                return new Reading((long)bursts * step, 1, bytes);
            },
            () =>
            {
                end();
                Task.WaitAll(consumers);
                window.Dispose();
            });
    }

    private static void MustBeDone(ValueTask<PublishResult> publish)
    {
        if (!publish.IsCompletedSuccessfully)
            throw new LostEventException("There was no room.");
    }

    private static async Task ReadAsync(ChannelReader<Tick> reader, Window.Counter counter)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out Tick tick))
                counter.Add(tick.Number);
        }
    }

    private static async Task ReadAsync(ChannelReader<Envelope<Tick>> reader, Window.Counter counter)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out Envelope<Tick> envelope))
                counter.Add(envelope.Event.Number);
        }
    }

    private static async Task EnumerateAsync(Subscription<Tick> subscription, Window.Counter counter)
    {
        await foreach (Envelope<Tick> envelope in subscription)
            counter.Add(envelope.Event.Number);
    }
}
