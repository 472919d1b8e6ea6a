using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reactive.Concurrency;
using System.Reactive.Linq;
using System.Reactive.Subjects;
using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;
using MassTransit;

namespace EventBus.Benchmarks.Questions;

/// <summary>How many events go all the way, from publishers to consumers that run on the thread pool.</summary>
internal static class EndToEnd
{
    public static readonly Question Question = new(
        "endtoend",
        "Deliveries per second: publishers on threads of their own, each subscriber's own task. At most 1,024 events are on their way, so " +
        "nobody is ever full; every consumer counts and sums what it gets. Inline dispatch is not compared: it is not the same work.",
        Answer);

    private const int Step = 256;

    private static IEnumerable<Table> Answer(Effort effort)
    {
        // Many short rounds: who runs on which processor changes from moment to moment.
        Effort often = effort with { Rounds = effort.Rounds * 3 };
        Table table = new("publishers × subscribers", "", "deliveries/s", "min – max", "allocated each", "vs loop", "target");
        foreach ((int publishers, int subscribers, double target) in new[] { (1, 1, 1.0), (1, 8, 2.5), (1, 64, 3), (1, 1024, 4), (2, 8, 2.5) })
        {
            // More steps than may be on their way at once, or a round would never be held up by its slowest consumer.
            int steps = effort.Times(Math.Max(12, 1_500_000 / Step / (subscribers + 4)));
            List<Contender> contenders =
            [
                Loop(publishers, subscribers, steps),
                Bus(publishers, subscribers, steps, isLoop: false),
                Bus(publishers, subscribers, steps, isLoop: true),
                Delegates(publishers, subscribers, steps),
            ];

            // A round of a thousand would take it seconds.
            if (subscribers <= 64)
                contenders.Add(Reactive(publishers, subscribers, Math.Max(1, steps / (subscribers == 1 ? 1 : 10))));
            if (subscribers == 8)
                contenders.Add(MassTransit(publishers, subscribers, effort.Times(4)));
            AddRates(table, $"{publishers} × {subscribers}", Race.Run(often, [.. contenders]), target);
        }

        yield return table;
    }

    private static void AddRates(Table table, string name, IReadOnlyList<Series> series, double goal)
    {
        Series loop = series[0];
        double ours = series.Single(s => s.Name == "EventBus").Median;
        foreach (Series one in series)
        {
            double ratio = loop.Median / one.Median;
            (string against, double target, double reached) = one.Name switch
            {
                "EventBus" => ("", goal, ratio),
                "delegates into channels" => ("EventBus ", 1.5, one.Median / ours),
                "Rx ObserveOn" when name == "1 × 8" => ("EventBus ", 8.0, one.Median / ours),
                "MassTransit in-memory" => ("EventBus ", 100.0, one.Median / ours),
                _ => ("", 0, 0),
            };
            table.Add(
                one == loop ? name : "",
                one.Name,
                $"{Table.Number(1e3 / one.Median)} M",
                $"{Table.Number(1e3 / one.Max)} – {Table.Number(1e3 / one.Min)} M",
                Table.Bytes(one.Bytes),
                one == loop ? "" : Table.Ratio(ratio),
                target == 0 ? "" : $"{against}≥ {Table.Ratio(target)} {(against == "" ? "" : $"is {Table.Ratio(reached)} ")}{Table.Met(reached >= target)}");
        }
    }

    private static Contender Loop(int publishers, int subscribers, int steps)
    {
        Channel<Tick>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded())];
        ChannelWriter<Tick>[] writers = [.. channels.Select(c => c.Writer)];
        return Contend(
            "loop",
            publishers,
            subscribers,
            steps,
            (i, counter) => ReadAsync(channels[i].Reader, counter),
            first =>
            {
                for (int i = 0; i < Step; i++)
                {
                    Tick tick = new(first + i, 1, 2, 3);
                    foreach (ChannelWriter<Tick> writer in writers)
                        writer.TryWrite(tick);
                }
            },
            () => Array.ForEach(writers, w => w.Complete()));
    }

    private static Contender Bus(int publishers, int subscribers, int steps, bool isLoop)
    {
        InProcessEventBus bus = new();
        return Contend(
            isLoop ? "EventBus, await foreach" : "EventBus",
            publishers,
            subscribers,
            steps,
            (_, counter) => isLoop
                ? EnumerateAsync(bus.Subscribe<Tick>("market:ticks"), counter)
                : ReadAsync(bus.Subscribe<Tick>("market:ticks").Reader, counter),
            first =>
            {
                for (int i = 0; i < Step; i++)
                    bus.Publish("market:ticks", new Tick(first + i, 1, 2, 3));
            },
            bus.Dispose);
    }

    /// <summary>What dispatchers like MessagePipe do when their handlers only queue: a delegate for each subscriber.</summary>
    private static Contender Delegates(int publishers, int subscribers, int steps)
    {
        Channel<Tick>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded())];
        Action<Tick>[] handlers = [.. channels.Select(c => c.Writer).Select(w => new Action<Tick>(tick => w.TryWrite(tick)))];
        return Contend(
            "delegates into channels",
            publishers,
            subscribers,
            steps,
            (i, counter) => ReadAsync(channels[i].Reader, counter),
            first =>
            {
                for (int i = 0; i < Step; i++)
                {
                    Tick tick = new(first + i, 1, 2, 3);
                    foreach (Action<Tick> handler in handlers)
                        handler(tick);
                }
            },
            () => Array.ForEach(channels, c => c.Writer.Complete()));
    }

    private static Contender Reactive(int publishers, int subscribers, int steps)
    {
        Subject<Tick> subject = new();
        ISubject<Tick> input = publishers > 1 ? Subject.Synchronize(subject) : subject;
        ConcurrentBag<IDisposable> subscriptions = [];
        return Contend(
            "Rx ObserveOn",
            publishers,
            subscribers,
            steps,
            (_, counter) =>
            {
                subscriptions.Add(subject.ObserveOn(TaskPoolScheduler.Default).Subscribe(tick => counter.Add(tick.Number)));
                return Task.CompletedTask;
            },
            first =>
            {
                for (int i = 0; i < Step; i++)
                    input.OnNext(new Tick(first + i, 1, 2, 3));
            },
            () =>
            {
                foreach (IDisposable subscription in subscriptions)
                    subscription.Dispose();
                subject.Dispose();
            });
    }

    /// <summary>A receive endpoint for each subscriber, one message at a time as with the others.</summary>
    private static Contender MassTransit(int publishers, int subscribers, int steps)
    {
        LogContext.ConfigureCurrentLogContext(Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);
        List<Window.Counter> counters = [];
        IBusControl bus = null!;
        Contender contender = Contend(
            "MassTransit in-memory",
            publishers,
            subscribers,
            steps,
            (_, counter) =>
            {
                counters.Add(counter);
                return Task.CompletedTask;
            },
            first => Task.WaitAll(Enumerable.Range(0, Step).Select(i => bus.Publish(new Quote(first + i, 1, 2, 3)))),
            () => bus.Stop());
        bus = global::MassTransit.Bus.Factory.CreateUsingInMemory(factory =>
        {
            for (int i = 0; i < subscribers; i++)
            {
                Window.Counter counter = counters[i];
                factory.ReceiveEndpoint($"subscriber-{i}", endpoint =>
                {
                    endpoint.ConcurrentMessageLimit = 1;
                    endpoint.Handler<Quote>(context =>
                    {
                        counter.Add(context.Message.Number);
                        return Task.CompletedTask;
                    });
                });
            }
        });
        bus.Start();
        return contender;
    }

    /// <summary>A contender whose publishers share the steps of a round, and publish numbers that grow from step to step.</summary>
    private static Contender Contend(
        string name, int publishers, int subscribers, int steps, Func<int, Window.Counter, Task> consume, Action<long> publishStep, Action end)
    {
        Window window = new(subscribers, Step, steps: 1024 / Step);
        Task[] consumers = [.. window.Counters.Select((counter, i) => consume(i, counter))];
        long published = 0;
        Barrier barrier = new(publishers + 1);
        bool isOver = false;
        long nextStep = 0, lastStep = 0;
        Thread[] threads = [.. Enumerable.Range(0, publishers).Select(_ => new Thread(Publish) { IsBackground = true })];
        Array.ForEach(threads, t => t.Start());
        return new(
            name,
            () =>
            {
                lastStep += steps;
                long bytes = GC.GetTotalAllocatedBytes(precise: true);
                long start = Stopwatch.GetTimestamp();
                barrier.SignalAndWait();
                barrier.SignalAndWait();
                published += (long)steps * Step;
                window.AwaitAll(published, published * (published - 1) / 2);
                long ticks = Stopwatch.GetTimestamp() - start;
                return new Reading((long)steps * Step * subscribers, ticks, GC.GetTotalAllocatedBytes(precise: true) - bytes);
            },
            () =>
            {
                isOver = true;
                barrier.SignalAndWait();
                Array.ForEach(threads, t => t.Join());
                end();
                Task.WaitAll(consumers);
                barrier.Dispose();
                window.Dispose();
            });

        void Publish()
        {
            while (true)
            {
                barrier.SignalAndWait();
                if (isOver)
                    return;
                while (Interlocked.Increment(ref nextStep) is long step && step <= lastStep)
                {
                    window.Take();
                    publishStep((step - 1) * Step);
                }

                // The one step too many that every publisher took is given back.
                Interlocked.Decrement(ref nextStep);
                barrier.SignalAndWait();
            }
        }
    }

    private static Channel<Tick> Bounded() => Channel.CreateBounded<Tick>(new BoundedChannelOptions(1024) { SingleReader = true });

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

    /// <summary>The event where only classes can be sent.</summary>
    internal sealed record Quote(long Number, long Sent, long Price, long Volume);
}
