using System.Collections.Concurrent;
using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What finding the subscribers of a topic costs among many topics.</summary>
internal static class Topics
{
    public static readonly Question Question = new(
        "topics",
        "One publish to one subscriber that listens to all of 1, 1,000 or 1,000,000 topics: always the same topic (hot), or any of them (cold). " +
        "The loop has a ConcurrentDictionary from topic to an array of channels. The bus keeps 8,192 routes and builds the others when used.",
        Answer);

    private const int Length = 512;

    private static IEnumerable<Table> Answer(Effort effort)
    {
        Table table = new("topics", "", "median", "min – max", "allocated", "vs loop", "");
        foreach (int count in new[] { 1, 1000, effort.IsQuick ? 20_000 : 1_000_000 })
        {
            string[] topics = [.. Enumerable.Range(0, count).Select(i => $"market:{i}:ticks")];
            Random random = new(7);
            string[] hot = [.. Enumerable.Repeat(topics[count / 2], Length * 64)];
            string[] cold = [.. hot.Select(_ => topics[random.Next(count)])];
            int bursts = effort.Times(64);
            Contender[] contenders =
                [.. Loops(topics, bursts, hot, cold), .. Buses(topics, bursts, hot, cold)];
            IReadOnlyList<Series> series = Race.Run(effort, contenders);
            table.AddRace($"{count:#,0} hot", [series[0], series[2]]);
            if (count > 1)
                table.AddRace($"{count:#,0} cold", [series[1], series[3]]);
        }

        yield return table;
    }

    private static Contender[] Loops(string[] topics, int bursts, string[] hot, string[] cold)
    {
        Channel<Tick> channel = Channel.CreateBounded<Tick>(new BoundedChannelOptions(1024) { SingleReader = true });
        ConcurrentDictionary<string, ChannelWriter<Tick>[]> writers = new(StringComparer.Ordinal);
        foreach (string topic in topics)
            writers[topic] = [channel.Writer];
        return [Contend("loop", bursts, hot, Burst, Read), Contend("loop", bursts, cold, Burst, Read)];

        void Burst(ArraySegment<string> to)
        {
            foreach (string topic in to)
            {
                Tick tick = new(1, 1, 2, 3);
                if (!writers.TryGetValue(topic, out ChannelWriter<Tick>[]? all))
                    continue;
                foreach (ChannelWriter<Tick> writer in all)
                    writer.TryWrite(tick);
            }
        }

        bool Read() => channel.Reader.TryRead(out _);
    }

    private static Contender[] Buses(string[] topics, int bursts, string[] hot, string[] cold)
    {
        InProcessEventBus bus = new();
        ChannelReader<Envelope<Tick>> reader = bus.Subscribe<Tick>(topics).Reader;
        return [Contend("EventBus", bursts, hot, Burst, Read), Contend("EventBus", bursts, cold, Burst, Read, bus.Dispose)];

        void Burst(ArraySegment<string> to)
        {
            foreach (string topic in to)
                bus.Publish(topic, new Tick(1, 1, 2, 3));
        }

        bool Read() => reader.TryRead(out Envelope<Tick> envelope) && envelope.Missed == 0;
    }

    private static Contender Contend(string name, int bursts, string[] order, Action<ArraySegment<string>> burst, Func<bool> read, Action? end = null)
    {
        int next = 0;
        return new(name, () => Contender.Bursts(bursts, Length, Burst, ReadBack), end);

        void Burst()
        {
            burst(new ArraySegment<string>(order, next, Length));
            next = (next + Length) % order.Length;
        }

        void ReadBack()
        {
            for (int i = 0; i < Length; i++)
            {
                if (!read())
                    throw new LostEventException(name);
            }

            if (read())
                throw new LostEventException($"{name}: one too many");
        }
    }
}
