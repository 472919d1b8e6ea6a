using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What is allocated in steady state, over every thread and to the byte.</summary>
internal static class Allocations
{
    public static readonly Question Question = new(
        "bytes",
        "Bytes allocated by the whole process per publish to 8 subscribers and per delivery, consumers running and going to sleep as they like, " +
        "after a warm-up. Waiting without a token; a wait with a token must register with it.",
        Answer);

    private const int Length = 512;
    private const int Subscribers = 8;

    private static IEnumerable<Table> Answer(Effort effort)
    {
        int bursts = effort.Times(400);
        Table table = new("how", "consumers wait", "per publish", "per delivery", "target");
        foreach (Contender contender in new[]
        {
            Loop(bursts, isPaused: false),
            Bus("EventBus, Reader", bursts, s => s.Reader, isPaused: false),
            Bus("EventBus, await foreach", bursts, reader: null, isPaused: false),
            Bus("EventBus, PublishAsync", bursts, s => s.Reader, isPaused: false, isAsync: true),
            Loop(bursts, isPaused: true),
            Bus("EventBus, Reader", bursts, s => s.Reader, isPaused: true),
            Bus("EventBus, await foreach", bursts, reader: null, isPaused: true),
        })
        {
            for (int i = 0; i < effort.Warmups; i++)
                contender.Round();
            Series series = Series.Of(contender.Name, [.. Enumerable.Range(0, effort.Rounds).Select(_ => contender.Round())]);
            contender.End!();
            string[] name = contender.Name.Split('|');
            double each = series.Bytes / Subscribers;
            table.Add(
                name[0],
                name[1],
                Table.Bytes(series.Bytes),
                Table.Bytes(each),
                name[0] == "loop" ? "" : $"0 B {Table.Met(Table.Bytes(each) == "0 B")}");
        }

        yield return table;
    }

    private static Contender Loop(int bursts, bool isPaused)
    {
        Channel<Tick>[] channels =
            [.. Enumerable.Range(0, Subscribers).Select(_ => Channel.CreateBounded<Tick>(new BoundedChannelOptions(1024) { SingleReader = true }))];
        return Contend(
            "loop",
            bursts,
            isPaused,
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
        string name, int bursts, Func<Subscription<Tick>, ChannelReader<Envelope<Tick>>>? reader, bool isPaused, bool isAsync = false)
    {
        InProcessEventBus bus = new();
        return Contend(
            name,
            bursts,
            isPaused,
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
        string name, int bursts, bool isPaused, Func<int, Window.Counter, Task> consume, Action<long> publish, Action end)
    {
        // Paused: every event finds its consumers asleep.
        int step = isPaused ? 1 : Length;
        Window window = new(Subscribers, step, steps: 1);
        Task[] consumers = [.. window.Counters.Select((counter, i) => consume(i, counter))];
        long published = 0;
        return new(
            $"{name}|{(isPaused ? "after every event" : "after every 512 events")}",
            () =>
            {
                long bytes = GC.GetTotalAllocatedBytes(precise: true);
                for (int i = 0; i < bursts; i++)
                {
                    window.Take();
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
