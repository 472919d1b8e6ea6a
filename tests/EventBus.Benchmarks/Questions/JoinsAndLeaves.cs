using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What joining and leaving a crowded topic cost while it is being published to.</summary>
internal static class JoinsAndLeaves
{
    public static readonly Question Question = new(
        "joins",
        "150,000 subscribers on one topic; one thread publishes and reads everything back, another joins and leaves, ten at a time, 1,000 a second each. By " +
        "hand: an array that is copied at every change, or a concurrent dictionary of channels.",
        Answer);

    private static readonly BoundedChannelOptions Bounded = new(1024) { SingleReader = true };

    private static IEnumerable<Table> Answer(Effort effort)
    {
        int subscribers = effort.Times(150_000);
        int changes = Math.Max(10, effort.Times(3000));
        Table table = new("subscribers", "", "join, median", "p99", "leave, median", "p99", "publish, median", "target");
        foreach (Crowd crowd in new Crowd[] { CopiedArray(subscribers), Dictionary(subscribers), Bus(subscribers) })
        {
            (double[] joins, double[] leaves, double[] publishes) = Measure(crowd, changes);
            bool isMet = Median(joins) <= 2000 && Median(leaves) <= 2000;
            table.Add(
                $"{subscribers:#,0}",
                crowd.Name,
                Table.Time(Median(joins)),
                Table.Time(joins[(int)(0.99 * (joins.Length - 1))]),
                Table.Time(Median(leaves)),
                Table.Time(leaves[(int)(0.99 * (leaves.Length - 1))]),
                Table.Time(Median(publishes)),
                crowd.Name == "EventBus" ? $"both ≤ 2 µs {Table.Met(isMet)}" : "");
            crowd.End();
        }

        yield return table;

        static double Median(double[] sorted) => sorted[sorted.Length / 2];
    }

    private static (double[] Joins, double[] Leaves, double[] Publishes) Measure(Crowd crowd, int changes)
    {
        List<double> joins = [], leaves = [], publishes = [];
        bool isOver = false;
        Exception? failure = null;

        // Compiled before it counts.
        for (int i = 0; i < changes * 2; i++)
        {
            crowd.Join()();
            if (i % changes == changes / 2)
                Thread.Sleep(250);
        }

        Thread publisher = new(() =>
        {
            try
            {
                while (!Volatile.Read(ref isOver))
                {
                    long start = Stopwatch.GetTimestamp();
                    crowd.Publish(new Tick(publishes.Count, 1, 2, 3));
                    publishes.Add(NanosecondsSince(start));
                    crowd.ReadBack(publishes.Count - 1);
                }
            }
            catch (LostEventException e)
            {
                failure = e;
            }
        });
        publisher.Start();
        Queue<Action> joined = new();
        for (int i = 0; i < changes / 10; i++)
        {
            Thread.Sleep(10);
            for (int j = 0; j < 10; j++)
            {
                long start = Stopwatch.GetTimestamp();
                Action leave = crowd.Join();
                joins.Add(NanosecondsSince(start));
                joined.Enqueue(leave);
            }

            while (joined.TryDequeue(out Action? leave))
            {
                long start = Stopwatch.GetTimestamp();
                leave();
                leaves.Add(NanosecondsSince(start));
            }
        }

        Volatile.Write(ref isOver, true);
        publisher.Join();
        return failure is null
            ? ([.. joins.Order()], [.. leaves.Order()], [.. publishes.Order()])
            : throw new LostEventException(failure.Message);
    }

    /// <summary>A time span only counts hundreds of nanoseconds.</summary>
    private static double NanosecondsSince(long start) => (Stopwatch.GetTimestamp() - start) * 1e9 / Stopwatch.Frequency;

    private static Crowd CopiedArray(int subscribers)
    {
        Channel<Tick>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Channel.CreateBounded<Tick>(Bounded))];
        Channel<Tick>[] all = channels;
        Lock gate = new();
        return new Crowd(
            "loop, copied array",
            () =>
            {
                Channel<Tick> mine = Channel.CreateBounded<Tick>(Bounded);
                lock (gate)
                    all = [.. all, mine];
                return () =>
                {
                    lock (gate)
                    {
                        int at = Array.IndexOf(all, mine);
                        all = [.. all.AsSpan(0, at), .. all.AsSpan(at + 1)];
                    }
                };
            },
            tick =>
            {
                foreach (Channel<Tick> channel in Volatile.Read(ref all))
                    channel.Writer.TryWrite(tick);
            },
            number => ReadBack(channels, number));
    }

    private static Crowd Dictionary(int subscribers)
    {
        Channel<Tick>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Channel.CreateBounded<Tick>(Bounded))];
        ConcurrentDictionary<Channel<Tick>, bool> all = new(channels.Select(c => KeyValuePair.Create(c, true)));
        return new Crowd(
            "loop, dictionary",
            () =>
            {
                Channel<Tick> mine = Channel.CreateBounded<Tick>(Bounded);
                all.TryAdd(mine, true);
                return () => all.TryRemove(mine, out _);
            },
            tick =>
            {
                foreach (KeyValuePair<Channel<Tick>, bool> entry in all)
                    entry.Key.Writer.TryWrite(tick);
            },
            number => ReadBack(channels, number));
    }

    private static void ReadBack(Channel<Tick>[] channels, long number)
    {
        foreach (Channel<Tick> channel in channels)
        {
            if (!channel.Reader.TryRead(out Tick tick) || tick.Number != number)
                throw new LostEventException($"The loop lost event {number}.");
        }
    }

    private static Crowd Bus(int subscribers)
    {
        InProcessEventBus bus = new();
        ChannelReader<Envelope<Tick>>[] readers = [.. Enumerable.Range(0, subscribers).Select(_ => bus.Subscribe<Tick>("market:ticks").Reader)];
        return new Crowd(
            "EventBus",
            () => bus.Subscribe<Tick>("market:ticks").Dispose,
            tick => bus.Publish("market:ticks", tick),
            number =>
            {
                foreach (ChannelReader<Envelope<Tick>> reader in readers)
                {
                    if (!reader.TryRead(out Envelope<Tick> envelope) || envelope.Event.Number != number)
                        throw new LostEventException($"The bus lost event {number}.");
                }
            },
            bus.Dispose);
    }

    /// <summary>A crowded topic.</summary>
    /// <param name="Name">The contender.</param>
    /// <param name="Join">Joins, and gives what leaves.</param>
    /// <param name="Publish">Publishes to all.</param>
    /// <param name="ReadBack">Takes the one event from each of those that stay.</param>
    /// <param name="Ended">What is done at the end.</param>
    private sealed record Crowd(string Name, Func<Action> Join, Action<Tick> Publish, Action<long> ReadBack, Action? Ended = null)
    {
        public void End() => Ended?.Invoke();
    }
}
