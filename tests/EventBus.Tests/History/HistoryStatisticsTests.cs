using EventBus.Testing;

namespace EventBus.Tests.History;

public sealed class HistoryStatisticsTests
{
    /// <summary>At rest everything that was matched, replayed events included, was delivered, dropped, discarded or is queued.</summary>
    [Fact]
    public void Replay_CountsAsMatchedWhenReplayed_SoThatTheSumHolds()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a", depth: 10));
        bus.PublishNumbers("a", 1, 10);
        using Subscription<int> reads = bus.SubscribeWith("a", Replay.All);
        using Subscription<int> leaves = bus.SubscribeWith("a", Replay.Last(4), capacity: 1);
        using Subscription<int> waits = bus.SubscribeWith("#", Replay.Last(3), capacity: 1);
        long matched = 10 + 4 + 3;
        for (int i = 0; i < 2; i++)
            matched += bus.Publish("a", 11 + i).Matched;

        reads.ReadEvents().Should().HaveCount(12);
        leaves.Reader.TryRead(out _).Should().BeTrue();
        leaves.Dispose();

        EventBusStatistics statistics = bus.GetStatistics();
        statistics.Should().BeEquivalentTo(
            new { Delivered = 13L, Discarded = 4L, Dropped = 2L, Queued = 4L, HistoryTopics = 1, HistoryEvents = 10L, Published = 12L });
        (statistics.Delivered + statistics.Discarded + statistics.Dropped + statistics.Queued).Should().Be(matched);
    }

    [Fact]
    public void HighestFill_IsOfTheFullestChannelWithoutItsReplay()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a", depth: 10));
        bus.PublishNumbers("a", 1, 10);
        using Subscription<int> late = bus.SubscribeWith("a", Replay.All, capacity: 4);
        using Subscription<int> roomy = bus.SubscribeWith("a", Replay.None, capacity: 100);
        bus.GetStatistics().HighestFill.Should().Be(0);
        late.Count.Should().Be(10);
        bus.GetStatistics().Queued.Should().Be(10);

        bus.Publish("a", 11);
        bus.GetStatistics().HighestFill.Should().Be(0.25);
        bus.PublishNumbers("a", 12, 15);

        bus.GetStatistics().HighestFill.Should().Be(1);
        late.ReadQueued();
        bus.GetStatistics().HighestFill.Should().Be(0.05);
    }

    [Fact]
    public void Queued_CountsSubscriptionsThatEndedUnread()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a"));
        bus.PublishNumbers("a", 1, 3);
        using Subscription<int> live = bus.SubscribeWith("a", Replay.All);
        bus.Complete("a");
        using Subscription<int> late = bus.SubscribeWith("a", Replay.All);

        bus.GetStatistics().Should().BeEquivalentTo(new { Subscriptions = 0, Queued = 6L });
        live.ReadQueued();
        late.Dispose();

        bus.GetStatistics().Should().BeEquivalentTo(new { Queued = 0L, Delivered = 3L, Discarded = 3L });
    }

    /// <summary>Item one of what must hold, on topics that keep history: one lock orders them, and nobody waits under it.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    public async Task PublishAsync_SaturatedSubscribers_DelayThePublisherByTheirOneTimeOutAndOthersByNothing(int slow)
    {
        FakeTimeProvider clock = new();
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("#"), timeProvider: clock);
        Subscription<int>[] saturated = [.. Enumerable.Range(0, slow).Select(_ => bus.Subscribe<int>(
            "a", new() { Capacity = 1, WaitTimeout = TimeSpan.FromSeconds(1) }))];
        using Subscription<int> fast = bus.Subscribe<int>("#");
        bus.Publish("a", 1).Should().Be(new PublishResult(slow + 1, 0));

        ValueTask<PublishResult> waiting = bus.PublishAsync("a", 2);

        fast.ReadEvents().Should().Equal([1, 2], "who has room has the event at once");
        (await bus.PublishAsync("b", 3).Soon()).Should().Be(new PublishResult(1, 0), "other topics are not held up");
        fast.ReadEvents().Should().Equal(3);
        bus.HistoryOf("a").Should().Equal([1, 2], "what waits is in history already");
        clock.Advance(TimeSpan.FromSeconds(1) - TimeSpan.FromTicks(1));
        waiting.IsCompleted.Should().BeFalse();
        clock.Advance(TimeSpan.FromTicks(1));
        (await waiting.Soon()).Should().Be(new PublishResult(slow + 1, slow));
        saturated.Should().OnlyContain(s => s.Dropped == 1);
    }
}
