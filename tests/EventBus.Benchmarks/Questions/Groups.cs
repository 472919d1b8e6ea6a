using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What a publish costs where no two subscribers ask for the same, so that nothing can be shared among them.</summary>
internal static class Groups
{
    public static readonly Question Question = new(
        "groups",
        "One publish with room to one topic, which 1, 8, 64 or 1,024 different patterns match, each with one subscriber. Bursts are read back and " +
        "checked. The loop knows its channels beforehand.",
        Answer);

    private static readonly string[] Segments = ["market", "eu", "fx", "spot", "eur", "usd", "bid", "best", "firm", "live"];

    private static readonly string Topic = string.Join(':', Segments);

    private static IEnumerable<Table> Answer(Effort effort)
    {
        Table table = new("patterns × subscribers", "", "median", "min – max", "allocated", "vs loop", "");
        foreach (int patterns in new[] { 1, 8, 64, 1024 })
        {
            (int length, int bursts) = PublishWithRoom.Amount(patterns, effort);
            table.AddRace($"{patterns:#,0} × 1", Race.Run(effort, PublishWithRoom.Loop(patterns, bursts, length), Bus(patterns, bursts, length)));
        }

        yield return table;
    }

    private static Contender Bus(int patterns, int bursts, int length)
    {
        InProcessEventBus bus = new();
        ChannelReader<Envelope<Tick>>[] readers = [.. Enumerable.Range(0, patterns).Select(i => bus.Subscribe<Tick>(PatternOf(i)).Reader)];
        return new("EventBus", () => Contender.Bursts(bursts, length, Burst, ReadBack), bus.Dispose);

        void Burst()
        {
            for (int i = 0; i < length; i++)
                bus.Publish(Topic, new Tick(i, 1, 2, 3));
        }

        void ReadBack()
        {
            foreach (ChannelReader<Envelope<Tick>> reader in readers)
            {
                for (int i = 0; i < length; i++)
                {
                    if (!reader.TryRead(out Envelope<Tick> envelope) || envelope.Event.Number != i || envelope.Missed != 0)
                        throw new LostEventException("EventBus");
                }
            }
        }
    }

    /// <summary>Where the number has a bit, a wildcard stands for the topic's segment.</summary>
    private static string PatternOf(int number) =>
        string.Join(':', Segments.Select((segment, at) => (number >> at & 1) == 1 ? "*" : segment));
}
