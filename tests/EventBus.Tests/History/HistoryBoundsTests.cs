using EventBus.Testing;
using static EventBus.Tests.History.HistoryCalls;

namespace EventBus.Tests.History;

/// <summary>Depth, least recently used, and age.</summary>
public sealed class HistoryBoundsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(500)]
    public void Depth_AtEveryFill_KeepsTheLastEvents(int depth)
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a", depth: depth));

        for (int i = 1; i <= (3 * depth) + 5; i++)
        {
            bus.Publish("a", i);
            if (depth < 100 || i % 50 == 0)
                bus.HistoryOf("a").Should().Equal(Numbers(Math.Max(1, i - depth + 1), i));
        }

        bus.GetStatistics().Should().BeEquivalentTo(new { HistoryTopics = 1, HistoryEvents = (long)depth });
    }

    [Fact]
    public void MaxTopics_TopicsABAC_KeepsTheMostRecentlyUsed()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("*", maxTopics: 2));
        foreach (string topic in new List<string> { "a", "b", "a", "c" })
            bus.Publish(topic, 1);

        bus.HistoryOf("a").Should().Equal(1, 1);
        bus.HistoryOf("b").Should().BeEmpty();
        bus.HistoryOf("c").Should().Equal(1);
        bus.GetStatistics().Should().BeEquivalentTo(new { HistoryTopics = 2, HistoryEvents = 3L });
    }

    [Theory]
    [InlineData("a")]
    [InlineData("a:#")]
    public void MaxTopics_AReplay_CountsAsUse(string pattern)
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("*", maxTopics: 2));
        bus.Publish("a", 1);
        bus.Publish("b", 1);
        bus.SubscribeWith(pattern, Replay.All).Dispose();
        bus.Publish("c", 1);

        bus.HistoryOf("a").Should().Equal(1);
        bus.HistoryOf("b").Should().BeEmpty();
    }

    [Fact]
    public void MaxTopics_LookingOrSubscribingWithoutReplay_IsNoUse()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("*", maxTopics: 2));
        bus.Publish("a", 1);
        bus.Publish("b", 1);
        bus.HistoryOf("a").Should().Equal(1);
        using Subscription<int> live = bus.SubscribeWith("a", Replay.None);
        bus.Publish("c", 1);

        bus.HistoryOf("a").Should().BeEmpty();
        bus.HistoryOf("b").Should().Equal(1);
    }

    [Fact]
    public void MaxTopics_OfOneRule_DoesNotConcernAnother()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a:*", maxTopics: 1).KeepHistory("b:*", maxTopics: 1));
        foreach (string topic in new List<string> { "a:1", "b:1", "b:2", "b:3" })
            bus.Publish(topic, 1);

        bus.HistoryOf("a:1").Should().Equal(1);
        bus.HistoryOf("b:2").Should().BeEmpty();
        bus.HistoryOf("b:3").Should().Equal(1);
    }

    [Fact]
    public void MaxTopics_AnEvictedTopicThatComesBack_BeginsEmpty()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("*", maxTopics: 1));
        using Subscription<int> live = bus.Subscribe<int>("a");
        bus.Publish("a", 1);
        bus.Publish("b", 2);
        bus.Publish("a", 3);

        bus.HistoryOf("a").Should().Equal(3);
        live.ReadEvents().Should().Equal([1, 3], "eviction concerns history only");
    }

    [Fact]
    public void MaxAge_TurnOfTheClock_ForgetsWhatIsAsOld()
    {
        FakeTimeProvider clock = new();
        using InProcessEventBus bus = new(
            new EventBusOptions().KeepHistory("a", maxAge: TimeSpan.FromMinutes(10)).KeepHistory("b"), timeProvider: clock);
        bus.Publish("a", 1);
        bus.Publish("b", 1);
        clock.Advance(TimeSpan.FromMinutes(4));
        bus.Publish("a", 2);
        clock.Advance(TimeSpan.FromMinutes(6) - TimeSpan.FromTicks(1));
        bus.HistoryOf("a").Should().Equal(1, 2);

        clock.Advance(TimeSpan.FromTicks(1));

        bus.HistoryOf("a").Should().Equal(2);
        bus.GetStatistics().HistoryEvents.Should().Be(2);
        bus.SubscribeWith("#", Replay.All).ReadEvents().Should().Equal(1, 2);
        clock.Advance(TimeSpan.FromMinutes(4));
        bus.SubscribeWith("a", Replay.All).ReadEvents().Should().BeEmpty();
        bus.GetStatistics().HistoryEvents.Should().Be(1);
        bus.Publish("a", 3);
        bus.HistoryOf("a").Should().Equal(3);
    }

    [Fact]
    public void Rings_GrowOnlyAsTheyFill()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("*", depth: 1_048_576, maxTopics: 1_048_576));
        object thing = new();
        bus.Publish("warm", thing);

        Memory.AllocatedBy(() => bus.Publish("cold", thing)).Should().BeLessThan(10_000);
    }
}
