using EventBus.Routing;
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

    /// <summary>
    /// Invariant: the same, with more topics than routes are kept for, so that routes are dropped to make room while patterns come and go in
    /// bursts that are now shorter and now longer than those a route is compared with.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Publish_ToMoreTopicsThanAreCachedWhilePatternsComeAndGo_ReachesExactlyThoseThatMatch(int seed)
    {
        using InProcessEventBus bus = new();
        Random random = new(seed);
        List<(Subscription<int> Subscription, string Pattern)> live = [];
        for (int step = 0; step < 30_000; step++)
        {
            if (random.Next(200) == 0)
            {
                for (int burst = random.Next(2 * NewPatterns.Kept); burst > 0; burst--)
                    Join($"{Segment("*", "x")}:{Segment("*", "#")}:{Segment("*", "#")}");
                while (live.Count > 20)
                    Leave(random.Next(live.Count));
            }

            // Some topics are used all the time, and most seldom.
            string topic = random.Next(2) == 0 ? $"{random.Next(3)}:0:0" : $"{random.Next(3)}:{random.Next(60)}:{random.Next(60)}";
            int expected = live.Count(l => PlainMatcher.Matches(l.Pattern, topic));
            bus.Publish(topic, step).Matched.Should().Be(expected, "of {0} at step {1}", topic, step);
        }

        string Segment(params string[] others) => random.Next(others.Length + 3) is var i && i < others.Length ? others[i] : $"{random.Next(3)}";

        void Join(string pattern) => live.Add((bus.Subscribe<int>(pattern, new() { Capacity = 1 }), pattern));

        void Leave(int index)
        {
            live[index].Subscription.Dispose();
            live.RemoveAt(index);
        }
    }

    /// <summary>Invariant: a join that returned is seen by the next publish, and a leave by the next, whoever else publishes and joins.</summary>
    [Fact]
    public async Task Publish_AfterAJoinOnTheSameThread_SeesItWhileOthersUseTheSameRoutes()
    {
        using InProcessEventBus bus = new();
        using CancellationTokenSource done = new();
        string[] topics = [.. Enumerable.Range(0, 8).Select(i => $"t:{i}:x")];
        Task[] publishing = [.. Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            for (int i = 0; !done.IsCancellationRequested; i++)
                bus.Publish(topics[i % topics.Length], "noise");
        }))];
        Task[] joining = [.. Enumerable.Range(0, 2).Select(seed => Task.Run(() =>
        {
            Random random = new(seed);
            for (int i = 0; i < 5_000; i++)
            {
                int topic = random.Next(topics.Length);
                string pattern = (i % 4) switch { 0 => $"t:{topic}:*", 1 => $"#:{topic}:x", 2 => $"*:{topic}:#", _ => $"t:{topic}:x" };
                using Subscription<int> joined = bus.Subscribe<int>(pattern);
                bus.Publish(topics[topic], i).Matched.Should().BeGreaterThan(0);
                joined.ReadEvents().Should().Contain(i);
            }
        }))];

        await Task.WhenAll(joining).Soon();
        await done.CancelAsync();
        await Task.WhenAll(publishing).Soon();

        foreach (string topic in topics)
            bus.Publish(topic, 0).Matched.Should().Be(0, "all have left");
    }

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
