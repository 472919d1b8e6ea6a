using EventBus.Testing;

namespace EventBus.Tests.Delivery;

/// <summary>Back-pressure: who is waited for, how long, in what order, and what becomes of the event.</summary>
public sealed class PublishAsyncWaitTests : IDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly FakeTimeProvider _time = new();
    private readonly InProcessEventBus _bus;
    private int _subscribed;

    public PublishAsyncWaitTests() => _bus = new(timeProvider: _time);

    public void Dispose() => _bus.Dispose();

    [Fact]
    public async Task PublishAsync_RoomEverywhere_CompletesAtOnceWithoutATimer()
    {
        using Subscription<int> subscription = SubscribeFull(capacity: 2, filled: 1);

        ValueTask<PublishResult> published = _bus.PublishAsync("t", 1);

        published.IsCompletedSuccessfully.Should().BeTrue();
        (await published).Should().Be(new PublishResult(1, 0));
        _time.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public async Task PublishAsync_FullChannelIsRead_DeliversThereAndThen()
    {
        using Subscription<int> subscription = SubscribeFull();
        Task<PublishResult> published = _bus.PublishAsync("t", 1).AsTask();
        published.IsCompleted.Should().BeFalse();

        subscription.Reader.TryRead(out _).Should().BeTrue();

        subscription.Count.Should().Be(1, "the read itself hands the room over");
        (await published.Soon()).Should().Be(new PublishResult(1, 0));
        subscription.ReadWithMissed().Should().Equal((1, 0));
        _time.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public async Task PublishAsync_OthersHaveRoom_HandsThemTheEventBeforeItWaits()
    {
        using Subscription<int> full = SubscribeFull();
        using Subscription<int> free = _bus.Subscribe<int>("t");

        Task<PublishResult> published = _bus.PublishAsync("t", 7).AsTask();

        published.IsCompleted.Should().BeFalse();
        free.ReadEvents().Should().Equal(7);
        _time.Advance(Second);
        (await published.Soon()).Should().Be(new PublishResult(2, 1));
    }

    [Fact]
    public async Task PublishAsync_ManySlowSubscribers_CostOneTimeOutTogether()
    {
        const int slow = 50;
        Subscription<int>[] subscriptions = [.. Enumerable.Range(0, slow).Select(_ => _bus.Subscribe<int>("t", Full(1)))];
        _bus.Publish("t", 0);
        Task<PublishResult> published = _bus.PublishAsync("t", 1).AsTask();
        _time.ScheduledTimers.Should().Be(1, "all are waited for together");

        _time.Advance(Second - TimeSpan.FromMilliseconds(1));
        published.IsCompleted.Should().BeFalse();
        _time.Advance(TimeSpan.FromMilliseconds(1));

        (await published.Soon()).Should().Be(new PublishResult(slow, slow));
        subscriptions.Should().OnlyContain(s => s.Dropped == 1 && s.Count == 1);
        _time.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public async Task PublishAsync_DifferentWaitTimeouts_WaitsForEachItsOwn()
    {
        using Subscription<int> shorter = SubscribeFull(waitTimeout: Second);
        using Subscription<int> longer = SubscribeFull(waitTimeout: 3 * Second);
        using Subscription<int> longest = SubscribeFull(waitTimeout: 5 * Second);
        Task<PublishResult> published = _bus.PublishAsync("t", 1).AsTask();

        _time.Advance(Second);
        (shorter.Dropped, longer.Dropped, longest.Dropped).Should().Be((1, 0, 0));
        _time.Advance(2 * Second);
        (shorter.Dropped, longer.Dropped, longest.Dropped).Should().Be((1, 1, 0));
        published.IsCompleted.Should().BeFalse();
        _time.Advance(2 * Second);

        (await published.Soon()).Should().Be(new PublishResult(3, 3));
        longest.Dropped.Should().Be(1);
    }

    [Fact]
    public async Task PublishAsync_TheLongestWaitIsServedFirst_EndsWithTheShorterOnes()
    {
        using Subscription<int> shorter = SubscribeFull(waitTimeout: Second);
        using Subscription<int> longer = SubscribeFull(waitTimeout: 3 * Second);
        Task<PublishResult> published = _bus.PublishAsync("t", 1).AsTask();

        longer.Reader.TryRead(out _).Should().BeTrue();
        _time.Advance(Second);

        (await published.Soon()).Should().Be(new PublishResult(2, 1));
        longer.ReadEvents().Should().Equal(1);
        shorter.Dropped.Should().Be(1);
    }

    [Fact]
    public async Task PublishAsync_TimedOutOnce_IsNotWaitedForUntilSomethingIsRead()
    {
        using Subscription<int> subscription = SubscribeFull(capacity: 2);
        Task<PublishResult> first = _bus.PublishAsync("t", 10).AsTask();
        _time.Advance(Second);
        await first.Soon();

        ValueTask<PublishResult> second = _bus.PublishAsync("t", 11);
        second.IsCompletedSuccessfully.Should().BeTrue("who timed out has read nothing since");
        (await second).Should().Be(new PublishResult(1, 1));

        subscription.Reader.TryRead(out _).Should().BeTrue();
        (await _bus.PublishAsync("t", 12).Soon()).Should().Be(new PublishResult(1, 0));
        Task<PublishResult> third = _bus.PublishAsync("t", 13).AsTask();
        third.IsCompleted.Should().BeFalse("it has read, so it is waited for again");
        subscription.ReadWithMissed().Should().Equal((1, 0), (12, 2), (13, 0));
        (await third.Soon()).Should().Be(new PublishResult(1, 0));
    }

    [Fact]
    public async Task PublishAsync_SeveralWaiting_AreServedFirstComeFirst()
    {
        using Subscription<int> subscription = SubscribeFull();
        Task<PublishResult>[] published = [.. Enumerable.Range(1, 3).Select(i => _bus.PublishAsync("t", i).AsTask())];

        for (int i = 0; i < 3; i++)
        {
            published.Count(p => p.IsCompleted).Should().Be(i);
            subscription.Reader.TryRead(out Envelope<int> envelope).Should().BeTrue();
            (envelope.Event, envelope.Missed).Should().Be((i, 0));
            (await published[i].Soon()).Should().Be(new PublishResult(1, 0));
        }

        subscription.ReadEvents().Should().Equal(3);
    }

    [Fact]
    public async Task PublishAsync_TheFirstOfSeveralGivesUp_LeavesTheOthersInTheirOrder()
    {
        using Subscription<int> subscription = SubscribeFull();
        using CancellationTokenSource cancel = new();
        Task<PublishResult> first = _bus.PublishAsync("t", 1, cancel.Token).AsTask();
        Task<PublishResult> second = _bus.PublishAsync("t", 2).AsTask();
        Task<PublishResult> third = _bus.PublishAsync("t", 3).AsTask();

        await cancel.CancelAsync();

        await FluentActions.Awaiting(() => first.Soon()).Should().ThrowAsync<OperationCanceledException>();
        subscription.ReadWithMissed().Should().Equal((0, 0), (2, 1), (3, 0));
        await Task.WhenAll(second, third).Soon();
        subscription.Dropped.Should().Be(1);
    }

    [Fact]
    public async Task Publish_WhileSomeoneWaits_FindsTheChannelFullEvenForALaterRoom()
    {
        using Subscription<int> subscription = SubscribeFull();
        Task<PublishResult> waiting = _bus.PublishAsync("t", 1).AsTask();

        _bus.Publish("t", 2).Should().Be(new PublishResult(1, 1), "the next room is the waiting one's");

        subscription.ReadWithMissed().Should().Equal((0, 0), (1, 0));
        (await waiting.Soon()).Should().Be(new PublishResult(1, 0));
        _bus.Publish("t", 3);
        subscription.ReadWithMissed().Should().Equal((3, 1));
    }

    [Fact]
    public async Task PublishAsync_WaitTimeoutZero_NeverWaits()
    {
        using Subscription<int> subscription = SubscribeFull(waitTimeout: TimeSpan.Zero);

        ValueTask<PublishResult> published = _bus.PublishAsync("t", 1);

        published.IsCompletedSuccessfully.Should().BeTrue();
        (await published).Should().Be(new PublishResult(1, 1));
        subscription.Dropped.Should().Be(1);
    }

    [Fact]
    public async Task PublishAsync_AwaitedOneAfterTheOther_MixedWithPublish_KeepsTheirOrder()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t", Full(2));
        List<int> read = [];
        Task reading = Task.Run(async () =>
        {
            await foreach ((_, int e) in subscription)
            {
                read.Add(e);
                if (e == 999)
                    return;
            }
        });

        int dropped = 0;
        for (int i = 0; i < 1000; i++)
            dropped += i % 3 == 0 && i != 999 ? _bus.Publish("t", i).Dropped : (await _bus.PublishAsync("t", i).Soon()).Dropped;
        await reading.Soon();

        read.Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
        read.Count.Should().Be(1000 - dropped);
    }

    [Fact]
    public async Task PublishAsync_CompletedTask_IsFollowedByPublishInOrder()
    {
        using Subscription<int> subscription = SubscribeFull(capacity: 2, filled: 2);
        Task<PublishResult> waiting = _bus.PublishAsync("t", 2).AsTask();
        subscription.Reader.TryRead(out _);
        subscription.Reader.TryRead(out _);
        await waiting.Soon();

        _bus.Publish("t", 3);

        subscription.ReadEvents().Should().Equal(2, 3);
    }

    [Fact]
    public async Task PublishAsync_TwoReadersCompeteForTheRoomMade_DeliversOnce()
    {
        using Subscription<int> subscription = SubscribeFull();
        Task<PublishResult> published = _bus.PublishAsync("t", 1).AsTask();
        Task<Envelope<int>>[] reads = [subscription.Reader.ReadAsync().AsTask(), subscription.Reader.ReadAsync().AsTask()];

        (await Task.WhenAll(reads).Soon()).Select(e => e.Event).Should().BeEquivalentTo([0, 1]);
        (await published.Soon()).Should().Be(new PublishResult(1, 0));
    }

    [Fact]
    public async Task PublishAsync_ExceptIsTheFullOne_DoesNotWaitForIt()
    {
        using Subscription<int> full = SubscribeFull();
        using Subscription<int> free = _bus.Subscribe<int>("t");

        ValueTask<PublishResult> published = _bus.PublishAsync("t", 1, full);

        published.IsCompletedSuccessfully.Should().BeTrue();
        (await published).Should().Be(new PublishResult(1, 0));
        (full.Count, full.Dropped).Should().Be((1, 0));
    }

    [Fact]
    public async Task PublishAsync_OnTheSystemClock_TimesOutToo()
    {
        using InProcessEventBus bus = new();
        using Subscription<int> subscription = bus.Subscribe<int>("t", Full(1, TimeSpan.FromMilliseconds(1)));
        using Subscription<int> slower = bus.Subscribe<int>("t", Full(1, TimeSpan.FromMilliseconds(20)));
        bus.Publish("t", 0);

        (await bus.PublishAsync("t", 1).Soon()).Should().Be(new PublishResult(2, 2));
    }

    private static SubscriptionOptions Full(int capacity, TimeSpan? waitTimeout = null) =>
        new() { Capacity = capacity, WaitTimeout = waitTimeout ?? Second };

    /// <summary>A subscription that holds 0, 1, … from a topic that only it listens to.</summary>
    private Subscription<int> SubscribeFull(int capacity = 1, int? filled = null, TimeSpan? waitTimeout = null)
    {
        string own = $"own:{++_subscribed}";
        Subscription<int> subscription = _bus.Subscribe<int>(["t", own], Full(capacity, waitTimeout));
        for (int i = 0; i < (filled ?? capacity); i++)
            _bus.Publish(own, i);
        return subscription;
    }
}
