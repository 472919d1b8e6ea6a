namespace EventBus.Tests.Delivery;

/// <summary>How a subscription begins, ends, and disappears from every look-up.</summary>
public sealed class SubscriptionLifeTests : IDisposable
{
    private readonly InProcessEventBus _bus = new();

    public void Dispose() => _bus.Dispose();

    [Fact]
    public void Subscribe_WithOptions_ShowsThemOnTheHandle()
    {
        using Subscription<string> subscription = _bus.Subscribe<string>(["a:*", "b"], new() { Capacity = 7, Name = "mine" });

        subscription.Patterns.Should().Equal("a:*", "b");
        subscription.Capacity.Should().Be(7);
        subscription.Name.Should().Be("mine");
        subscription.EventType.Should().Be<string>();
        subscription.Id.Should().BePositive();
        subscription.ReplayTruncated.Should().BeFalse();
        subscription.ToString().Should().Contain("a:*").And.Contain("mine");
    }

    [Fact]
    public void Subscribe_WithoutOptions_TakesTheBusesDefaults()
    {
        using InProcessEventBus bus = new(new() { Subscription = { Capacity = 3, Overflow = OverflowPolicy.DropOldest } });
        using Subscription<int> subscription = bus.Subscribe<int>("t");
        for (int i = 0; i < 5; i++)
            bus.Publish("t", i);
        subscription.ReadEvents().Should().Equal(2, 3, 4);
    }

    [Fact]
    public void Subscribe_OptionsChangedAfterwards_HaveNoEffect()
    {
        SubscriptionOptions options = new() { Capacity = 1 };
        using Subscription<int> subscription = _bus.Subscribe<int>("t", options);
        options.Capacity = 10;
        _bus.Publish("t", 0);
        _bus.Publish("t", 1).Dropped.Should().Be(1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1_048_577)]
    public void Subscribe_CapacityOutOfRange_NamesTheOptionItsValueAndItsRange(int capacity) =>
        FluentActions.Invoking(() => _bus.Subscribe<int>("t", new() { Capacity = capacity }))
            .Should().Throw<ArgumentOutOfRangeException>()
            .Which.Message.Should().Contain(nameof(SubscriptionOptions.Capacity)).And.Contain($"{capacity}").And.Contain("1 to 1048576");

    [Fact]
    public void Subscribe_OtherOptionsOutOfRange_NamesThem()
    {
        Refusal(new() { WaitTimeout = TimeSpan.FromHours(24) + TimeSpan.FromTicks(1) }).Should().Contain("WaitTimeout").And.Contain("24 hours");
        Refusal(new() { WaitTimeout = Timeout.InfiniteTimeSpan }).Should().Contain("WaitTimeout").And.Contain("never infinite");
        Refusal(new() { Overflow = (OverflowPolicy)9 }).Should().Contain("Overflow").And.Contain("9").And.Contain("DropOldest");
        _bus.GetStatistics().Subscriptions.Should().Be(0);

        string Refusal(SubscriptionOptions options) => FluentActions.Invoking(() => _bus.Subscribe<int>("t", options))
            .Should().Throw<ArgumentException>().Which.Message;
    }

    [Fact]
    public void Subscribe_HandlerOptions_AreRefused() =>
        FluentActions.Invoking(() => _bus.Subscribe<int>("t", new HandlerOptions()))
            .Should().Throw<ArgumentException>().WithMessage("*HandlerOptions*Handle*");

    [Fact]
    public async Task Subscribe_TokenCancelledAlready_ReturnsItEnded()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t", new CancellationToken(canceled: true));

        await subscription.Completion.Soon();
        await subscription.Reader.Completion.Soon();
        (await subscription.Reader.WaitToReadAsync().Soon()).Should().BeFalse();
        ShouldBeGone();
        await foreach (Envelope<int> never in subscription)
            Assert.Fail($"{never} was never published.");
    }

    [Fact]
    public async Task Handle_TokenCancelledAlready_ReturnsItEnded()
    {
        await using HandlerSubscription handler = _bus.Handle<int>("t", (_, _) => default, new CancellationToken(canceled: true));
        await handler.Completion.Soon();
        ShouldBeGone();
    }

    [Fact]
    public async Task Token_Cancelled_EndsTheSubscriptionAfterWhatIsQueued()
    {
        using CancellationTokenSource cancel = new();
        using Subscription<int> subscription = _bus.Subscribe<int>("t", cancel.Token);
        _bus.Publish("t", 1);

        await cancel.CancelAsync();

        ShouldBeGone();
        _bus.Publish("t", 2).Should().Be(default(PublishResult));
        subscription.Completion.IsCompleted.Should().BeFalse();
        subscription.ReadEvents().Should().Equal(1);
        await subscription.Completion.Soon();
    }

    [Fact]
    public async Task Token_CancelledAfterDispose_IsNothing()
    {
        using CancellationTokenSource cancel = new();
        Subscription<int> subscription = _bus.Subscribe<int>("t", cancel.Token);
        subscription.Dispose();
        await cancel.CancelAsync();
        await subscription.Completion.Soon();
    }

    [Fact]
    public async Task Dispose_WithQueued_DiscardsThem()
    {
        Subscription<int> subscription = _bus.Subscribe<int>("t");
        _bus.Publish("t", 1);
        _bus.Publish("t", 2);

        subscription.Dispose();

        ShouldBeGone();
        (subscription.Count, subscription.Dropped, subscription.Delivered).Should().Be((0, 0, 0));
        subscription.Reader.TryRead(out _).Should().BeFalse();
        await subscription.Completion.Soon();
        _bus.GetStatistics().Discarded.Should().Be(2);
    }

    [Fact]
    public void Dispose_Twice_IsNothing()
    {
        using Subscription<int> other = _bus.Subscribe<int>("t");
        Subscription<int> subscription = _bus.Subscribe<int>("t");

        subscription.Dispose();
        subscription.Dispose();

        _bus.Publish("t", 1).Matched.Should().Be(1);
        other.ReadEvents().Should().Equal(1);
        _bus.GetStatistics().Subscriptions.Should().Be(1);
    }

    [Fact]
    public async Task Dispose_WhileAReaderWaits_EndsTheWaiting()
    {
        Subscription<int> subscription = _bus.Subscribe<int>("t");
        Task<bool> first = subscription.Reader.WaitToReadAsync().AsTask(), second = subscription.Reader.WaitToReadAsync().AsTask();

        subscription.Dispose();

        (await first.Soon()).Should().BeFalse();
        (await second.Soon()).Should().BeFalse();
    }

    [Fact]
    public void Dispose_BusFirst_ThenItsSubscriptions_IsFine()
    {
        Subscription<int> pull = _bus.Subscribe<int>("t");
        HandlerSubscription handler = _bus.Handle<int>("t", (_, _) => default);
        _bus.Dispose();
        _bus.Dispose();
        pull.Dispose();
        handler.Dispose();
        _bus.GetStatistics().Subscriptions.Should().Be(0);
    }

    [Fact]
    public async Task Dispose_FromManyThreadsAtOnce_EndsOnce()
    {
        for (int round = 0; round < 100; round++)
        {
            Subscription<int> subscription = _bus.Subscribe<int>("t");
            using Subscription<int> other = _bus.Subscribe<int>("t");
            _bus.Publish("t", 1);
            using Barrier start = new(3);
            await Task.WhenAll(
                AfterAll(start, subscription.Dispose),
                AfterAll(start, subscription.Dispose),
                AfterAll(start, () => _bus.Publish("t", 2))).Soon();
            await subscription.Completion.Soon();
            other.ReadEvents().Should().Equal(1, 2);
        }

        EventBusStatistics statistics = _bus.GetStatistics();
        statistics.Subscriptions.Should().Be(0);
        statistics.Queued.Should().Be(0);
    }

    [Fact]
    public async Task BusDispose_LiveSubscription_EndsAfterWhatIsQueued()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t");
        _bus.Publish("t", 1);

        _bus.Dispose();

        subscription.Completion.IsCompleted.Should().BeFalse();
        (await subscription.NextAsync()).Should().Be(1);
        await subscription.Completion.Soon();
    }

    [Fact]
    public async Task Complete_OnlyExactTopic_EndsAfterWhatIsQueuedAlsoWhenFull()
    {
        using Subscription<int> full = _bus.Subscribe<int>("t", new() { Capacity = 1 });
        using Subscription<int> pattern = _bus.Subscribe<int>("*");
        using Subscription<int> several = _bus.Subscribe<int>(["t", "u"]);
        using Subscription<int> elsewhere = _bus.Subscribe<int>("u");
        _bus.Publish("t", 1);

        _bus.Complete("t").Should().BeTrue();
        _bus.Complete("t").Should().BeFalse("there is nothing left to end");

        full.ReadEvents().Should().Equal(1);
        await full.Completion.Soon();
        _bus.Publish("t", 2).Matched.Should().Be(2, "without a rule the topic begins anew");
        pattern.ReadEvents().Should().Equal(1, 2);
        several.ReadEvents().Should().Equal(1, 2);
        elsewhere.Completion.IsCompleted.Should().BeFalse();
    }

    [Fact]
    public void MaxSubscriptions_OneMore_ThrowsUntilOneLeaves()
    {
        using InProcessEventBus bus = new(new() { MaxSubscriptions = 2 });
        Subscription<int> first = bus.Subscribe<int>("t");
        using HandlerSubscription second = bus.Handle<int>("#", (_, _) => default);

        FluentActions.Invoking(() => bus.Subscribe<int>("u")).Should().Throw<InvalidOperationException>()
            .WithMessage("*2 live subscriptions*MaxSubscriptions*");
        FluentActions.Invoking(() => bus.Handle<int>("u", (_, _) => default)).Should().Throw<InvalidOperationException>();
        bus.HasSubscribers("u").Should().BeTrue("the handler listens to all topics");
        bus.GetStatistics().Topics.Should().Be(1, "who was refused left nothing behind");

        first.Dispose();
        using Subscription<int> third = bus.Subscribe<int>("u");
        bus.Publish("u", 1).Matched.Should().Be(2);
    }

    [Fact]
    public void LastLeave_OfATopic_CollectsTheTopic()
    {
        Subscription<int> first = _bus.Subscribe<int>("t"), second = _bus.Subscribe<int>("t"), pattern = _bus.Subscribe<int>("t:#");
        _bus.GetStatistics().Topics.Should().Be(1);

        first.Dispose();
        _bus.HasSubscribers("t").Should().BeTrue();
        pattern.Dispose();
        _bus.GetStatistics().Topics.Should().Be(1);
        second.Dispose();

        ShouldBeGone();
        _bus.GetStatistics().Topics.Should().Be(0);
    }

    [Fact]
    public void Dispose_OneOfMany_LeavesTheOthers()
    {
        Subscription<int>[] all = [.. Enumerable.Range(0, 20).Select(_ => _bus.Subscribe<int>("t"))];
        for (int i = 0; i < 20; i += 2)
            all[i].Dispose();

        _bus.Publish("t", 1).Should().Be(new PublishResult(10, 0));

        all.Select(s => s.Count).Should().Equal(Enumerable.Range(0, 20).Select(i => i % 2));
        _bus.GetSubscriptions("t").Select(s => s.Id).Should().Equal(all.Where((_, i) => i % 2 == 1).Select(s => s.Id));
    }

    private void ShouldBeGone()
    {
        _bus.HasSubscribers("t").Should().BeFalse();
        _bus.GetSubscriptions("t").Should().BeEmpty();
        _bus.GetSubscriptions().Should().BeEmpty();
        _bus.Publish("t", 0).Should().Be(default(PublishResult));
        _bus.GetStatistics().Subscriptions.Should().Be(0);
    }

    private static Task AfterAll(Barrier start, Action action) => Task.Factory.StartNew(
        () =>
        {
            start.SignalAndWait(HangGuard.Limit);
            action();
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);
}
