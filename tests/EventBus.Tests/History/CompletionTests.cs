using EventBus.Testing;
using static EventBus.Tests.History.HistoryCalls;

namespace EventBus.Tests.History;

public sealed class CompletionTests : IDisposable
{
    private readonly InProcessEventBus _bus = new(new EventBusOptions().KeepHistory("run:#", depth: 10, maxTopics: 3));

    public void Dispose() => _bus.Dispose();

    [Fact]
    public async Task Complete_LateSubscribers_GetWhatTheirReplayAsksForThenTheEnd()
    {
        _bus.PublishNumbers("run:1", 1, 5);
        long second = _bus.GetHistory<int>("run:1")[1].Sequence;
        _bus.Complete("run:1").Should().BeTrue();

        foreach ((Replay replay, int[] expected) in new List<(Replay, int[])>
        {
            (Replay.None, []),
            (Replay.All, [1, 2, 3, 4, 5]),
            (Replay.Last(2), [4, 5]),
            (Replay.Last(0), []),
            (Replay.After(second), [3, 4, 5]),
            (Replay.After(second + 3), []),
        })
        {
            using Subscription<int> late = _bus.SubscribeWith("run:1", replay, capacity: 1);
            late.Completion.IsCompleted.Should().Be(expected.Length == 0, "{0}", replay);
            late.ReadEvents().Should().Equal(expected, "{0}", replay);
            (await late.Reader.WaitToReadAsync().Soon()).Should().BeFalse();
            await late.Completion.Soon();
        }

        _bus.GetStatistics().Should().BeEquivalentTo(new { Subscriptions = 0, Topics = 0, Queued = 0L });
    }

    [Fact]
    public async Task Complete_HistoryLongerThanTheChannel_ReplaysAllThenTheEndArrives()
    {
        _bus.PublishNumbers("run:1", 1, 10);
        _bus.Complete("run:1");
        using Subscription<int> late = _bus.SubscribeWith("run:1", Replay.All, capacity: 1);
        List<int> read = [];

        await ReadToTheEndAsync().Soon();

        read.Should().Equal(Numbers(1, 10));

        async Task ReadToTheEndAsync()
        {
            await foreach (Envelope<int> envelope in late)
                read.Add(envelope.Event);
        }
    }

    [Fact]
    public async Task Complete_SubscribersChannelIsFull_ReadsAllThatWasQueuedThenTheEnd()
    {
        using Subscription<int> full = _bus.SubscribeWith("run:1", Replay.None, capacity: 3);
        _bus.PublishNumbers("run:1", 1, 3);

        _bus.Complete("run:1").Should().BeTrue();

        full.Count.Should().Be(3);
        full.Completion.IsCompleted.Should().BeFalse();
        full.ReadEvents().Should().Equal(1, 2, 3);
        (await full.Reader.WaitToReadAsync().Soon()).Should().BeFalse();
        await full.Completion.Soon();
        full.Dropped.Should().Be(0);
    }

    [Fact]
    public async Task Publish_AfterCompletion_MatchesNobodyIsNotRecordedAndCounts()
    {
        using Subscription<int> pattern = _bus.Subscribe<int>("run:*");
        using Subscription<int> several = _bus.Subscribe<int>(["run:1", "run:2"]);
        using Subscription<int> exact = _bus.Subscribe<int>("run:1");
        _bus.Publish("run:1", 1);
        _bus.Complete("run:1");

        _bus.Publish("run:1", 2).Should().Be(default(PublishResult));
        (await _bus.PublishAsync("run:1", 3).Soon()).Should().Be(default(PublishResult));

        exact.ReadEvents().Should().Equal(1);
        pattern.ReadEvents().Should().Equal(1);
        several.ReadEvents().Should().Equal(1);
        _bus.HistoryOf("run:1").Should().Equal(1);
        _bus.SubscribeWith("run:#", Replay.All).ReadEvents().Should().Equal(1);
        _bus.GetStatistics().Should().BeEquivalentTo(new { RefusedAfterCompletion = 2L, Published = 1L });
    }

    [Fact]
    public void Complete_SubscribersOfPatternsAndOfSeveralTopics_GoOn()
    {
        using Subscription<int> pattern = _bus.Subscribe<int>("run:#");
        using Subscription<int> several = _bus.Subscribe<int>(["run:1", "run:2"]);
        _bus.Publish("run:1", 1);
        _bus.Complete("run:1").Should().BeTrue();

        _bus.Publish("run:2", 2).Matched.Should().Be(2);

        pattern.ReadEvents().Should().Equal(1, 2);
        several.ReadEvents().Should().Equal(1, 2);
        using Subscription<int> late = _bus.Subscribe<int>(["run:1", "run:2"], new() { Replay = Replay.All });
        late.ReadEvents().Should().Equal(1, 2);
        late.Completion.IsCompleted.Should().BeFalse("a late one goes on, too");
    }

    [Fact]
    public void Complete_Twice_IsTrueOnce()
    {
        _bus.Publish("run:1", 1);

        _bus.Complete("run:1").Should().BeTrue();
        _bus.Complete("run:1").Should().BeFalse();
    }

    [Fact]
    public void Complete_NothingToEnd_IsFalseAndRemembersNothing()
    {
        using Subscription<int> pattern = _bus.Subscribe<int>("run:*");

        _bus.Complete("run:1").Should().BeFalse();
        _bus.Complete("other").Should().BeFalse();

        _bus.Publish("run:1", 1).Matched.Should().Be(1);
        _bus.GetStatistics().RefusedAfterCompletion.Should().Be(0);
        FluentActions.Invoking(() => _bus.Complete("run:*")).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Complete_AllEventsHaveExpiredAndNobodyListens_IsNothingToEnd()
    {
        FakeTimeProvider clock = new();
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a", maxAge: TimeSpan.FromSeconds(1)), timeProvider: clock);
        bus.Publish("a", 1);
        clock.Advance(TimeSpan.FromSeconds(2));

        bus.Complete("a").Should().BeFalse();
        bus.Publish("a", 2);
        bus.HistoryOf("a").Should().Equal(2);
    }

    [Fact]
    public async Task Complete_SubscriberButNoEvents_IsRememberedInASlot()
    {
        using Subscription<int> live = _bus.Subscribe<int>("run:1");

        _bus.Complete("run:1").Should().BeTrue();

        await live.Completion.Soon();
        _bus.GetStatistics().Should().BeEquivalentTo(new { HistoryTopics = 1, HistoryEvents = 0L });
        _bus.Publish("run:1", 1).Matched.Should().Be(0);
        _bus.Subscribe<int>("run:1").Completion.IsCompleted.Should().BeTrue();
        _bus.Complete("run:1").Should().BeFalse();
    }

    [Fact]
    public void Complete_TakesASlotLikeAnEventWouldAndGoesWithIt()
    {
        using Subscription<int> one = _bus.Subscribe<int>("run:1");
        _bus.Publish("run:a", 1);
        _bus.Publish("run:b", 1);
        _bus.Publish("run:c", 1);

        _bus.Complete("run:1");

        _bus.HistoryOf("run:a").Should().BeEmpty("the least recently used made room");
        _bus.Publish("run:1", 1).Matched.Should().Be(0);
        foreach (string topic in new List<string> { "run:d", "run:e", "run:f" })
            _bus.Publish(topic, 1);
        using Subscription<int> again = _bus.Subscribe<int>("run:1");
        again.Completion.IsCompleted.Should().BeFalse("the end went with its slot");
        _bus.Publish("run:1", 2).Matched.Should().Be(1);
    }

    [Fact]
    public async Task Complete_WithoutARule_EndsThoseWhoListenAndBeginsAnew()
    {
        using Subscription<int> first = _bus.Subscribe<int>("other");
        _bus.Publish("other", 1);

        _bus.Complete("other").Should().BeTrue();
        _bus.Complete("other").Should().BeFalse();

        using Subscription<int> second = _bus.Subscribe<int>("other");
        _bus.Publish("other", 2).Matched.Should().Be(1);
        first.ReadEvents().Should().Equal(1);
        await first.Completion.Soon();
        second.ReadEvents().Should().Equal(2);
        _bus.GetStatistics().RefusedAfterCompletion.Should().Be(0);
    }

    [Fact]
    public void Forget_Completed_BeginsAnew()
    {
        _bus.PublishNumbers("run:1", 1, 3);
        long last = _bus.LastSequence("run:1");
        _bus.Complete("run:1");

        _bus.Forget("run:1").Should().BeTrue();
        _bus.Forget("run:1").Should().BeFalse();
        _bus.Forget("other").Should().BeFalse();

        _bus.HistoryOf("run:1").Should().BeEmpty();
        _bus.GetStatistics().HistoryTopics.Should().Be(0);
        using Subscription<int> live = _bus.SubscribeWith("run:1", Replay.All);
        _bus.Publish("run:1", 4).Matched.Should().Be(1);
        live.ReadQueued().Should().ContainSingle().Which.Sequence.Should().BeGreaterThan(last);
        FluentActions.Invoking(() => _bus.Forget("a::b")).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Forget_WhileSubscribersRead_TakesNothingFromThem()
    {
        _bus.PublishNumbers("run:1", 1, 3);
        using Subscription<int> late = _bus.SubscribeWith("run:1", Replay.All);

        _bus.Forget("run:1").Should().BeTrue();
        _bus.Publish("run:1", 4);

        late.ReadEvents().Should().Equal(1, 2, 3, 4);
    }

    [Fact]
    public void DisposedBus_HasNoHistoryAndNothingToEnd()
    {
        _bus.Publish("run:1", 1);
        using Subscription<int> late = _bus.SubscribeWith("run:1", Replay.All);
        _bus.Dispose();

        _bus.Publish("run:1", 2).Should().Be(default(PublishResult));
        _bus.Complete("run:1").Should().BeFalse();
        _bus.Forget("run:1").Should().BeFalse();
        _bus.GetHistory<int>("run:1").Should().BeEmpty();
        late.ReadEvents().Should().Equal([1], "replay that was taken can be read to its end");
        late.Completion.IsCompleted.Should().BeTrue();
        FluentActions.Invoking(() => _bus.SubscribeWith("run:1", Replay.All)).Should().Throw<ObjectDisposedException>();
    }
}
