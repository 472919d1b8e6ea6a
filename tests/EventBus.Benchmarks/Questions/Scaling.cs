using System.Diagnostics;
using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>How cost grows with subscribers and publishers. (With topics: see the question about them.)</summary>
internal static class Scaling
{
    public static readonly Question Question = new(
        "scaling",
        "What one delivery costs its publisher, with room, from 8 to 10,000 subscribers; and what 1, 2 and 4 publishers get done together, on one " +
        "topic and each on its own. More publishers than processors cannot get more done.",
        Answer);

    private static IEnumerable<Table> Answer(Effort effort)
    {
        yield return Subscribers(effort);
        yield return Publishers(effort);
    }

    private static Table Subscribers(Effort effort)
    {
        int[] counts = [8, 64, 1024, 10_000];
        Table table = new("subscribers", "", "per delivery", "min – max", "allocated", "vs 8", "target");
        IReadOnlyList<Series> loop = Race.Run(effort, [.. counts.Select(c => Loop(c, effort))]);
        IReadOnlyList<Series> ours = Race.Run(effort, [.. counts.Select(c => Bus(c, effort))]);
        for (int i = 0; i < counts.Length; i++)
        {
            Add(loop[i], loop[0], $"{counts[i]:#,0}", 0);
            Add(ours[i], ours[0], "", i == counts.Length - 1 ? 1.5 : 0);
        }

        return table;

        void Add(Series one, Series first, string name, double target)
        {
            double ratio = one.Median / first.Median;
            table.Add(
                name,
                one.Name,
                Table.Time(one.Median),
                $"{Table.Time(one.Min)} – {Table.Time(one.Max)}",
                Table.Bytes(one.Bytes),
                one == first ? "" : Table.Ratio(ratio),
                target == 0 ? "" : $"≤ {Table.Ratio(target)} {Table.Met(ratio <= target)}");
        }
    }

    private static Table Publishers(Effort effort)
    {
        Table table = new("publishers", "", "publishes/s, all", "min – max", "allocated each", "vs 1", "");
        foreach (bool isShared in new[] { true, false })
        {
            foreach (bool isBus in new[] { false, true })
            {
                int[] counts = [1, 2, 4];
                IReadOnlyList<Series> series = Race.Run(
                    effort, [.. counts.Select(c => Publishing(c, isShared, isBus, effort.Times(40)))]);
                for (int i = 0; i < counts.Length; i++)
                {
                    Series one = series[i];
                    table.Add(
                        $"{counts[i]}, {(isShared ? "one topic" : "own topics")}",
                        one.Name,
                        $"{Table.Number(1e3 / one.Median)} M",
                        $"{Table.Number(1e3 / one.Max)} – {Table.Number(1e3 / one.Min)} M",
                        Table.Bytes(one.Bytes),
                        i == 0 ? "" : Table.Ratio(series[0].Median / one.Median),
                        "");
                }
            }
        }

        return table;
    }

    private static (int Bursts, int Length) Amount(int subscribers, Effort effort)
    {
        int length = Math.Clamp(100_000 / subscribers, 16, 512);
        return (effort.Times(Math.Max(2, 1_000_000 / (length * subscribers))), length);
    }

    private static Contender Loop(int subscribers, Effort effort)
    {
        (int bursts, int length) = Amount(subscribers, effort);
        Channel<Tick>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded())];
        return new("loop", () => Contender.Bursts(bursts, length, Burst, ReadBack) is var r ? r with { Operations = r.Operations * subscribers } : r);

        void Burst()
        {
            for (int i = 0; i < length; i++)
            {
                Tick tick = new(i, 1, 2, 3);
                foreach (Channel<Tick> channel in channels)
                    channel.Writer.TryWrite(tick);
            }
        }

        void ReadBack()
        {
            foreach (Channel<Tick> channel in channels)
            {
                for (int i = 0; i < length; i++)
                {
                    if (!channel.Reader.TryRead(out Tick tick) || tick.Number != i)
                        throw new LostEventException("loop");
                }
            }
        }
    }

    private static Contender Bus(int subscribers, Effort effort)
    {
        (int bursts, int length) = Amount(subscribers, effort);
        InProcessEventBus bus = new();
        ChannelReader<Envelope<Tick>>[] readers = [.. Enumerable.Range(0, subscribers).Select(_ => bus.Subscribe<Tick>("market:ticks").Reader)];
        return new(
            "EventBus",
            () => Contender.Bursts(bursts, length, Burst, ReadBack) is var r ? r with { Operations = r.Operations * subscribers } : r,
            bus.Dispose);

        void Burst()
        {
            for (int i = 0; i < length; i++)
                bus.Publish("market:ticks", new Tick(i, 1, 2, 3));
        }

        void ReadBack()
        {
            foreach (ChannelReader<Envelope<Tick>> reader in readers)
            {
                for (int i = 0; i < length; i++)
                {
                    if (!reader.TryRead(out Envelope<Tick> envelope) || envelope.Event.Number != i)
                        throw new LostEventException("EventBus");
                }
            }
        }
    }

    /// <summary>Several threads publish at once to 8 subscribers; nobody reads until they are done.</summary>
    private static Contender Publishing(int publishers, bool isShared, bool isBus, int bursts)
    {
        const int length = 1024 / 4, subscribers = 8;
        int topics = isShared ? 1 : publishers;
        InProcessEventBus? bus = isBus ? new() : null;
        ChannelReader<Envelope<Tick>>[] readers =
            bus is null ? [] : [.. Enumerable.Range(0, topics * subscribers).Select(i => bus.Subscribe<Tick>($"market:{i / subscribers}").Reader)];
        Channel<Tick>[][] channels =
            isBus ? [] : [.. Enumerable.Range(0, topics).Select(_ => Enumerable.Range(0, subscribers).Select(_ => Bounded()).ToArray())];
        Barrier barrier = new(publishers + 1);
        bool isOver = false;
        Thread[] threads = [.. Enumerable.Range(0, publishers).Select(i => new Thread(() => Publish(isShared ? 0 : i)) { IsBackground = true })];
        Array.ForEach(threads, t => t.Start());
        return new(isBus ? "EventBus" : "loop", Round, End);

        Reading Round()
        {
            long ticks = 0, bytes = 0;
            for (int i = 0; i < bursts; i++)
            {
                long bytesBefore = GC.GetTotalAllocatedBytes(precise: true);
                long start = Stopwatch.GetTimestamp();
                barrier.SignalAndWait();
                barrier.SignalAndWait();
                ticks += Stopwatch.GetTimestamp() - start;
                bytes += GC.GetTotalAllocatedBytes(precise: true) - bytesBefore;
                ReadBack();
            }

            return new Reading((long)bursts * length * publishers, ticks, bytes);
        }

        void Publish(int topic)
        {
            string name = $"market:{topic}";
            while (true)
            {
                barrier.SignalAndWait();
                if (isOver)
                    return;
                for (int i = 0; i < length; i++)
                {
                    Tick tick = new(1, 1, 2, 3);
                    if (bus is not null)
                    {
                        bus.Publish(name, tick);
                        continue;
                    }

                    foreach (Channel<Tick> channel in channels[topic])
                        channel.Writer.TryWrite(tick);
                }

                barrier.SignalAndWait();
            }
        }

        void ReadBack()
        {
            int each = length * publishers / topics;
            foreach (Channel<Tick> channel in channels.SelectMany(c => c))
                Count(() => channel.Reader.TryRead(out _));
            foreach (ChannelReader<Envelope<Tick>> reader in readers)
                Count(() => reader.TryRead(out Envelope<Tick> envelope) && envelope.Missed == 0);

            void Count(Func<bool> read)
            {
                int count = 0;
                while (read())
                    count++;
                if (count != each)
                    throw new LostEventException($"{count} of {each} events");
            }
        }

        void End()
        {
            isOver = true;
            barrier.SignalAndWait();
            Array.ForEach(threads, t => t.Join());
            barrier.Dispose();
            bus?.Dispose();
        }
    }

    private static Channel<Tick> Bounded() => Channel.CreateBounded<Tick>(new BoundedChannelOptions(1024) { SingleReader = true });
}
