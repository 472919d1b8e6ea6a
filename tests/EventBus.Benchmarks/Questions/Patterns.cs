using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What wildcard subscriptions cost those who publish to topics they do not match, or match seldom.</summary>
internal static class Patterns
{
    public static readonly Question Question = new(
        "patterns",
        "One publish to one exact subscriber, with 0 to 10,000 subscriptions to patterns that do not match it: to a topic " +
        "whose route is known, and to ever new topics, whose route must be found. \"Above\" is against the same bus without patterns.",
        Answer);

    private const int Length = 512;

    private static IEnumerable<Table> Answer(Effort effort)
    {
        Table table = new("patterns", "route", "median", "min – max", "allocated", "above 0", "target");
        int[] counts = [0, 10, 1000, 10_000];
        List<Contender> known = [], unknown = [], scan = [];
        foreach (int count in counts)
        {
            known.Add(Bus(count, effort, isKnown: true));
            unknown.Add(Bus(count, effort, isKnown: false));
            scan.Add(Scan(count, effort));
        }

        IReadOnlyList<Series> series = Race.Run(effort, [.. known, .. unknown, .. scan]);
        for (int i = 0; i < counts.Length; i++)
        {
            Add($"{counts[i]:#,0}", "known", series[i], series[0], 20);
            Add("", "unknown", series[counts.Length + i], series[counts.Length], 400);
            Add("", "loop with a scan", series[(2 * counts.Length) + i], series[2 * counts.Length], 0);
        }

        yield return table;

        void Add(string name, string route, Series one, Series none, double target)
        {
            double above = one.Median - none.Median;
            table.Add(
                name,
                route,
                Table.Time(one.Median),
                $"{Table.Time(one.Min)} – {Table.Time(one.Max)}",
                Table.Bytes(one.Bytes),
                one == none ? "" : Table.Time(above),
                one == none || target == 0 ? "" : $"≤ {target:0} ns {Table.Met(above <= target)}");
        }
    }

    private static string PatternOf(int i) => (i % 4) switch
    {
        0 => $"agent:{i}:*",
        1 => $"agent:*:{i}",
        2 => $"run:{i}:#",
        _ => $"#:{i}",
    };

    private static Contender Bus(int patterns, Effort effort, bool isKnown)
    {
        InProcessEventBus bus = new();
        List<Subscription> others = [.. Enumerable.Range(0, patterns).Select(i => bus.Subscribe<Tick>(PatternOf(i)))];

        // More topics than routes are kept, so that each is unknown again when its turn comes.
        string[] topics = isKnown ? ["agent:worker:state"] : [.. Enumerable.Range(0, 65_536).Select(i => $"agent:worker-{i}:state")];
        ChannelReader<Envelope<Tick>> reader = bus.Subscribe<Tick>(isKnown ? topics : ["agent:*:state"]).Reader;
        int next = 0;
        return new(
            "EventBus",
            () => Contender.Bursts(effort.Times(isKnown ? 64 : 32), Length, Burst, ReadBack),
            () =>
            {
                bus.Dispose();
                others.Clear();
            });

        void Burst()
        {
            for (int i = 0; i < Length; i++)
                bus.Publish(topics[next++ & (topics.Length - 1)], new Tick(i, 1, 2, 3));
        }

        void ReadBack()
        {
            for (int i = 0; i < Length; i++)
            {
                if (!reader.TryRead(out Envelope<Tick> envelope) || envelope.Event.Number != i)
                    throw new LostEventException("EventBus");
            }
        }
    }

    /// <summary>By hand: ask every pattern.</summary>
    private static Contender Scan(int patterns, Effort effort)
    {
        Channel<Tick> channel = Channel.CreateBounded<Tick>(new BoundedChannelOptions(1024) { SingleReader = true });
        (TopicPattern Pattern, ChannelWriter<Tick> Writer)[] all =
        [
            (TopicPattern.Parse("agent:worker:state"), channel.Writer),
            .. Enumerable.Range(0, patterns).Select(i => (TopicPattern.Parse(PatternOf(i)), Channel.CreateBounded<Tick>(1024).Writer)),
        ];
        int length = Math.Max(1, Length / ((patterns / 16) + 1));
        return new("loop with a scan", () => Contender.Bursts(effort.Times(16), length, Burst, ReadBack));

        void Burst()
        {
            for (int i = 0; i < length; i++)
            {
                foreach ((TopicPattern pattern, ChannelWriter<Tick> writer) in all)
                {
                    if (pattern.Matches("agent:worker:state"))
                        writer.TryWrite(new Tick(i, 1, 2, 3));
                }
            }
        }

        void ReadBack()
        {
            for (int i = 0; i < length; i++)
            {
                if (!channel.Reader.TryRead(out Tick tick) || tick.Number != i)
                    throw new LostEventException("loop with a scan");
            }
        }
    }
}
