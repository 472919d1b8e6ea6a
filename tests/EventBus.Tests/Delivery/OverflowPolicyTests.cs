namespace EventBus.Tests.Delivery;

/// <summary>What a full channel does with one more event, and how each loss is told: in the result, the counters and in-band.</summary>
public sealed class OverflowPolicyTests : IDisposable
{
    private static readonly PublishResult Delivered = new(Matched: 1, Dropped: 0);
    private static readonly PublishResult OneLost = new(Matched: 1, Dropped: 1);
    private readonly InProcessEventBus _bus = new();

    public void Dispose() => _bus.Dispose();

    [Theory]
    [InlineData(OverflowPolicy.Wait, 0, 1, 2)]
    [InlineData(OverflowPolicy.DropWrite, 0, 1, 2)]
    [InlineData(OverflowPolicy.Close, 0, 1, 2)]
    [InlineData(OverflowPolicy.DropNewest, 0, 1, 4)]
    [InlineData(OverflowPolicy.DropOldest, 2, 3, 4)]
    public void Publish_FullChannel_KeepsWhatThePolicySays(OverflowPolicy overflow, params int[] kept)
    {
        using Subscription<int> subscription = Subscribe(overflow, 3);

        PublishRange(0, 5);

        subscription.ReadEvents().Should().Equal(kept);
    }

    [Theory]
    [InlineData(OverflowPolicy.Wait)]
    [InlineData(OverflowPolicy.DropNewest)]
    [InlineData(OverflowPolicy.DropOldest)]
    [InlineData(OverflowPolicy.DropWrite)]
    public void Publish_FullChannel_CountsEachLossOnceInResultSubscriptionAndStatistics(OverflowPolicy overflow)
    {
        using Subscription<int> subscription = Subscribe(overflow, 2);

        PublishResult[] results = PublishRange(0, 5);

        results.Should().Equal(Delivered, Delivered, OneLost, OneLost, OneLost);
        subscription.Dropped.Should().Be(3);
        subscription.Count.Should().Be(2);
        _bus.GetStatistics().Dropped.Should().Be(3);
        _bus.GetSubscriptions().Single().Dropped.Should().Be(3);
    }

    [Fact]
    public void Wait_PublishedInVain_TellsTheGapOnTheNextEventQueued()
    {
        using Subscription<int> subscription = Subscribe(OverflowPolicy.Wait, 2);
        PublishRange(0, 4);
        subscription.Reader.TryRead(out _).Should().BeTrue();
        PublishRange(4, 2);

        subscription.ReadWithMissed().Should().Equal((1, 0), (4, 2));

        PublishRange(6, 1);
        subscription.ReadWithMissed().Should().Equal((6, 1));
        subscription.Dropped.Should().Be(3);
    }

    [Fact]
    public void DropWrite_SeveralGaps_EachIsToldOnTheEventAfterIt()
    {
        using Subscription<int> subscription = Subscribe(OverflowPolicy.DropWrite, 1);
        PublishRange(0, 2);
        subscription.ReadWithMissed().Should().Equal((0, 0));
        PublishRange(2, 4);
        subscription.ReadWithMissed().Should().Equal((2, 1));
        PublishRange(6, 1);
        subscription.ReadWithMissed().Should().Equal((6, 3));
        subscription.Dropped.Should().Be(4);
    }

    [Fact]
    public void DropNewest_Evicting_TellsTheGapBeforeTheEventThatTookTheRoom()
    {
        using Subscription<int> subscription = Subscribe(OverflowPolicy.DropNewest, 3);

        PublishRange(0, 6);

        subscription.ReadWithMissed().Should().Equal((0, 0), (1, 0), (5, 3));
    }

    [Fact]
    public void DropNewest_OneSlot_KeepsTheLatestWithAllThatWasMissed()
    {
        using Subscription<int> subscription = Subscribe(OverflowPolicy.DropNewest, 1);
        PublishRange(0, 3);
        subscription.ReadWithMissed().Should().Equal((2, 2));
        PublishRange(3, 2);
        subscription.ReadWithMissed().Should().Equal((4, 1));
    }

    [Fact]
    public void DropOldest_Evicting_TellsTheGapBeforeTheOldestLeft()
    {
        using Subscription<int> subscription = Subscribe(OverflowPolicy.DropOldest, 3);
        PublishRange(0, 5);
        subscription.Reader.TryRead(out Envelope<int> first).Should().BeTrue();
        (first.Event, first.Missed).Should().Be((2, 2));
        PublishRange(5, 2);

        subscription.ReadWithMissed().Should().Equal((4, 1), (5, 0), (6, 0));
        subscription.Dropped.Should().Be(3);
    }

    [Fact]
    public void DropOldest_BetweenPeekAndRead_TellsTheGapOnWhatIsRead()
    {
        using Subscription<int> subscription = Subscribe(OverflowPolicy.DropOldest, 1);
        PublishRange(0, 1);
        subscription.Reader.TryPeek(out Envelope<int> peeked).Should().BeTrue();
        PublishRange(1, 1);
        subscription.Reader.TryRead(out Envelope<int> read).Should().BeTrue();

        (peeked.Event, peeked.Missed).Should().Be((0, 0));
        (read.Event, read.Missed).Should().Be((1, 1));
    }

    [Theory]
    [InlineData(OverflowPolicy.Wait)]
    [InlineData(OverflowPolicy.DropNewest)]
    [InlineData(OverflowPolicy.DropOldest)]
    [InlineData(OverflowPolicy.DropWrite)]
    public void Missed_ReadsBetweenLosses_SumsUpToDroppedOnceTheLastGapIsTold(OverflowPolicy overflow)
    {
        using Subscription<int> subscription = Subscribe(overflow, 4);
        long missed = 0;
        for (int round = 0; round < 50; round++)
        {
            PublishRange(round * 10, 3 + (round % 5));
            for (int reads = round % 4; reads > 0 && subscription.Reader.TryRead(out Envelope<int> envelope); reads--)
                missed += envelope.Missed;
        }

        missed += subscription.ReadQueued().Sum(e => e.Missed);
        PublishRange(1000, 1);
        missed += subscription.ReadQueued().Single().Missed;

        subscription.Dropped.Should().BePositive();
        missed.Should().Be(subscription.Dropped);
    }

    [Fact]
    public async Task Close_Overflowing_EndsTheSubscriptionAfterWhatWasQueued()
    {
        using Subscription<int> subscription = Subscribe(OverflowPolicy.Close, 2);

        PublishRange(0, 3).Should().Equal(Delivered, Delivered, OneLost);
        PublishRange(3, 1).Should().Equal(default(PublishResult));

        _bus.HasSubscribers("t").Should().BeFalse();
        subscription.Completion.IsCompleted.Should().BeFalse("two events are still to be read");
        subscription.ReadEvents().Should().Equal(0, 1);
        await subscription.Completion.Soon();
        subscription.Dropped.Should().Be(1);
        SubscriptionOverflowException thrown = (await FluentActions
            .Awaiting(() => subscription.Reader.WaitToReadAsync().Soon())
            .Should().ThrowAsync<SubscriptionOverflowException>()).Which;
        thrown.Message.Should().Contain("\"t\"").And.Contain("2 events").And.Contain(nameof(SubscriptionOptions.Capacity));
    }

    [Fact]
    public async Task Close_Overflowing_FaultsReaderCompletionButNotCompletion()
    {
        using Subscription<int> subscription = Subscribe(OverflowPolicy.Close, 1);
        Task readerBefore = subscription.Reader.Completion, completionBefore = subscription.Completion;
        PublishRange(0, 2);
        readerBefore.IsCompleted.Should().BeFalse();

        subscription.ReadEvents().Should().Equal(0);

        await completionBefore.Soon();
        await subscription.Completion.Soon();
        await FluentActions.Awaiting(() => readerBefore.Soon()).Should().ThrowAsync<SubscriptionOverflowException>();
        await FluentActions.Awaiting(() => subscription.Reader.Completion.Soon()).Should().ThrowAsync<SubscriptionOverflowException>();
    }

    [Fact]
    public async Task Close_OverflowingWhileEnumerated_ThrowsFromTheLoopAfterWhatWasQueued()
    {
        using Subscription<int> subscription = Subscribe(OverflowPolicy.Close, 2);
        PublishRange(0, 3);
        List<int> read = [];

        await FluentActions.Awaiting(() => ReadAllAsync().Soon()).Should().ThrowAsync<SubscriptionOverflowException>();

        read.Should().Equal(0, 1);

        async Task ReadAllAsync()
        {
            await foreach ((_, int e) in subscription)
                read.Add(e);
        }
    }

    [Fact]
    public async Task Close_OverflowingThenDrained_NeverFaultsTheDrain()
    {
        using Subscription<int> subscription = Subscribe(OverflowPolicy.Close, 1);
        PublishRange(0, 2);
        Task drained = subscription.DrainAsync().AsTask();
        drained.IsCompleted.Should().BeFalse();
        subscription.ReadEvents();
        await drained.Soon();
    }

    [Fact]
    public async Task PublishAsync_PoliciesThatDoNotWait_CompletesAtOnce()
    {
        using Subscription<int> newest = Subscribe(OverflowPolicy.DropNewest, 1);
        using Subscription<int> oldest = Subscribe(OverflowPolicy.DropOldest, 1);
        using Subscription<int> write = Subscribe(OverflowPolicy.DropWrite, 1);
        using Subscription<int> close = Subscribe(OverflowPolicy.Close, 1);
        await _bus.PublishAsync("t", 0);

        ValueTask<PublishResult> second = _bus.PublishAsync("t", 1);

        second.IsCompletedSuccessfully.Should().BeTrue();
        (await second).Should().Be(new PublishResult(4, 4));
        newest.ReadWithMissed().Should().Equal((1, 1));
        oldest.ReadWithMissed().Should().Equal((1, 1));
        write.ReadWithMissed().Should().Equal((0, 0));
        close.ReadWithMissed().Should().Equal((0, 0));
    }

    [Fact]
    public void Publish_SomeFullSomeNot_CountsOnlyTheFullAsDropped()
    {
        using Subscription<int> small = Subscribe(OverflowPolicy.Wait, 1);
        using Subscription<int> large = Subscribe(OverflowPolicy.Wait, 100);

        PublishRange(0, 2).Should().Equal(new PublishResult(2, 0), new PublishResult(2, 1));

        small.ReadEvents().Should().Equal(0);
        large.ReadEvents().Should().Equal(0, 1);
    }

    private Subscription<int> Subscribe(OverflowPolicy overflow, int capacity) =>
        _bus.Subscribe<int>("t", new() { Overflow = overflow, Capacity = capacity });

    private PublishResult[] PublishRange(int start, int count) => [.. Enumerable.Range(start, count).Select(i => _bus.Publish("t", i))];
}
