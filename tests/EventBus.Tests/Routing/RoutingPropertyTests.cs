using EventBus.Tests.Topics;

namespace EventBus.Tests.Routing;

/// <summary>Trie and route cache against the plain rules, whatever joined and left before.</summary>
public sealed class RoutingPropertyTests
{
    private static readonly string[] TopicSegments = ["a", "b", "c", "a*b"];
    private static readonly string[] PatternSegments = [.. TopicSegments, "*", "#", "$bus"];

    /// <summary>
    /// Invariant: after any sequence of subscribes and disposals a publish matches exactly the live subscriptions with a pattern
    /// that matches the topic, each once, and every way of asking says the same.
    /// </summary>
    [Fact]
    public void Publish_AfterAnySubscribesAndDisposals_ReachesExactlyThoseThatMatch() =>
        Script.CheckAll(400, 300, script =>
        {
            using InProcessEventBus bus = new();
            List<Live> live = [];
            int number = 0;
            while (!script.IsAtEnd)
            {
                switch (script.Next(8))
                {
                    case 0 or 1:
                        string[] patterns = new string[1 + script.Next(3)];
                        for (int i = 0; i < patterns.Length; i++)
                            patterns[i] = TopicPatternTests.RandomSegments(script, PatternSegments, 4);
                        live.Add(new Live(bus.Subscribe<int>(patterns, new() { Capacity = 10_000 }), patterns));
                        break;
                    case 2 when live.Count > 0:
                        Live leaving = script.Pick(live);
                        leaving.Check();
                        leaving.Subscription.Dispose();
                        live.Remove(leaving);
                        break;
                    default:
                        PublishAndCheck(bus, TopicPatternTests.RandomSegments(script, TopicSegments, 4), ++number, live);
                        break;
                }
            }

            live.ForEach(l => l.Check());
            long[] ids = [.. live.Select(l => l.Subscription.Id)];
            bus.GetSubscriptions().Select(s => s.Id).Should().Equal(ids);
            bus.GetSubscriptions("$bus:a").Select(s => s.Id).Should()
                .Equal(live.Where(l => l.Matches("$bus:a")).Select(l => l.Subscription.Id));
            EventBusStatistics statistics = bus.GetStatistics();
            statistics.Topics.Should().Be(live.SelectMany(l => l.Patterns).Where(p => TopicPattern.Parse(p).IsExact).Distinct().Count());
            statistics.Subscriptions.Should().Be(live.Count);
            statistics.Published.Should().Be(number);
        });

    private static void PublishAndCheck(InProcessEventBus bus, string topic, int number, List<Live> live)
    {
        List<Live> matching = live.FindAll(l => l.Matches(topic));
        if (number % 2 == 0)
        {
            bus.HasSubscribers(topic).Should().Be(matching.Count > 0, topic);
            bus.GetSubscriptions(topic).Select(s => s.Id).Should().Equal(matching.Select(l => l.Subscription.Id), topic);
        }

        bus.Publish(topic, number).Should().Be(new PublishResult(matching.Count, 0), topic);
        matching.ForEach(l => l.Expected.Add((topic, number)));
    }

    private sealed record Live(Subscription<int> Subscription, string[] Patterns)
    {
        public List<(string Topic, int Event)> Expected { get; } = [];

        public bool Matches(string topic) => Patterns.Any(p => PlainMatcher.Matches(p, topic));

        public void Check()
        {
            Subscription.ReadQueued().Select(e => (e.Topic, e.Event)).Should().Equal(Expected, string.Join(' ', Patterns));
            Expected.Clear();
        }
    }
}
