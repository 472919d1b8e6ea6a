using System.Diagnostics;
using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>How long an event is on its way when there are a thousand a second, which is when consumers sleep between them.</summary>
internal static class Latency
{
    public static readonly Question Question = new(
        "latency",
        "From just before publishing until a consumer has the event, at 1,000 events/s from a thread that sleeps in between. The system's own " +
        "scheduling is most of it.",
        Answer);

    private static IEnumerable<Table> Answer(Effort effort)
    {
        Table table = new("subscribers", "", "p50", "p99", "p99.9", "p50 vs loop", "p99 vs loop", "");
        foreach (int subscribers in new[] { 1, 8, 64 })
        {
            int events = effort.Times(500);
            (Contender loop, List<double>[] loopTimes) = Loop(subscribers, events);
            (Contender bus, List<double>[] busTimes) = Bus(subscribers, events);
            Race.Run(effort, loop, bus);
            double[] of = Sorted(loopTimes, events), ours = Sorted(busTimes, events);
            Add(table, $"{subscribers}", "loop", of, of);
            Add(table, "", "EventBus", ours, of);
        }

        yield return table;

        // What warming up took is not counted.
        double[] Sorted(List<double>[] times, int events) =>
            [.. times.SelectMany(t => t.TakeLast(events * effort.Rounds)).Order()];
    }

    private static void Add(Table table, string name, string contender, double[] times, double[] loop)
    {
        table.Add(
            name,
            contender,
            Table.Time(At(times, 0.5)),
            Table.Time(At(times, 0.99)),
            Table.Time(At(times, 0.999)),
            times == loop ? "" : Table.Ratio(At(times, 0.5) / At(loop, 0.5)),
            times == loop ? "" : Table.Ratio(At(times, 0.99) / At(loop, 0.99)),
            "");

        static double At(double[] sorted, double part) => sorted[(int)(part * (sorted.Length - 1))];
    }

    private static (Contender Contender, List<double>[] Times) Loop(int subscribers, int events)
    {
        Channel<Tick>[] channels =
            [.. Enumerable.Range(0, subscribers).Select(_ => Channel.CreateBounded<Tick>(new BoundedChannelOptions(1024) { SingleReader = true }))];
        return Contend(
            "loop",
            subscribers,
            events,
            (i, counter, times) => ReadAsync(channels[i].Reader, counter, times),
            tick =>
            {
                foreach (Channel<Tick> channel in channels)
                    channel.Writer.TryWrite(tick);
            },
            () => Array.ForEach(channels, c => c.Writer.Complete()));
    }

    private static (Contender Contender, List<double>[] Times) Bus(int subscribers, int events)
    {
        InProcessEventBus bus = new();
        return Contend(
            "EventBus",
            subscribers,
            events,
            (_, counter, times) => ReadAsync(bus.Subscribe<Tick>("market:ticks").Reader, counter, times),
            tick => bus.Publish("market:ticks", tick),
            bus.Dispose);
    }

    private static (Contender Contender, List<double>[] Times) Contend(
        string name, int subscribers, int events, Func<int, Window.Counter, List<double>, Task> consume, Action<Tick> publish, Action end)
    {
        Window window = new(subscribers, step: 1, steps: 512);
        List<double>[] times = [.. Enumerable.Range(0, subscribers).Select(_ => new List<double>(16_384))];
        Task[] consumers = [.. window.Counters.Select((counter, i) => consume(i, counter, times[i]))];
        long published = 0;
        Contender contender = new(
            name,
            () =>
            {
                long start = Stopwatch.GetTimestamp();
                for (int i = 0; i < events; i++)
                {
                    Thread.Sleep(1);
                    window.Take();
                    publish(new Tick(1, Stopwatch.GetTimestamp(), 2, 3));
                    published++;
                }

                window.AwaitAll(published, published);
                return new Reading(events, Stopwatch.GetTimestamp() - start, 0);
            },
            () =>
            {
                end();
                Task.WaitAll(consumers);
                window.Dispose();
            });
        return (contender, times);
    }

    private static async Task ReadAsync(ChannelReader<Tick> reader, Window.Counter counter, List<double> times)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out Tick tick))
            {
                times.Add(Stopwatch.GetElapsedTime(tick.Sent).TotalNanoseconds);
                counter.Add(tick.Number);
            }
        }
    }

    private static async Task ReadAsync(ChannelReader<Envelope<Tick>> reader, Window.Counter counter, List<double> times)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out Envelope<Tick> envelope))
            {
                times.Add(Stopwatch.GetElapsedTime(envelope.Event.Sent).TotalNanoseconds);
                counter.Add(envelope.Event.Number);
            }
        }
    }
}
