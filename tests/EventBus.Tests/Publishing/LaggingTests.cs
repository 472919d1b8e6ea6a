using EventBus.Delivery;
using EventBus.Testing;

namespace EventBus.Tests.Publishing;

/// <summary>A subscriber that starts losing events is reported once per episode; an episode ends when its channel was empty.</summary>
public sealed class LaggingTests : IDisposable
{
    private readonly RecordedLog _log = new();
    private readonly FakeTimeProvider _time = new();
    private readonly InProcessEventBus _bus;
    private readonly Subscription<BusEvent> _reports;

    public LaggingTests()
    {
        _bus = new(loggerFactory: _log, timeProvider: _time);
        _reports = _bus.Subscribe<BusEvent>("$bus:#");
    }

    public void Dispose() => _bus.Dispose();

    [Fact]
    public void Overflow_First_IsReportedWithAllThatHelps()
    {
        using Subscription<int> slow = _bus.Subscribe<int>(["t", "u:*"], new() { Capacity = 1, Name = "slow" });

        Publish("u:1", 2);

        Envelope<BusEvent> report = _reports.ReadQueued().Should().ContainSingle().Which;
        report.Topic.Should().Be("$bus:lagging");
        report.Event.Should().BeEquivalentTo(
            new BusEvent.SubscriberLagging(slow.Id, "slow", ["t", "u:*"], "u:1", OverflowPolicy.Wait, 1, Dropped: 1));
        LogLine line = _log.Lines.Should().ContainSingle().Which;
        line.Message.Should().Contain("slow").And.Contain("\"u:*\"");
    }

    [Theory]
    [InlineData(OverflowPolicy.Wait)]
    [InlineData(OverflowPolicy.DropNewest)]
    [InlineData(OverflowPolicy.DropOldest)]
    [InlineData(OverflowPolicy.DropWrite)]
    public void Overflow_GoingOn_IsReportedOncePerEpisode(OverflowPolicy overflow)
    {
        using Subscription<int> slow = _bus.Subscribe<int>("t", new() { Capacity = 2, Overflow = overflow });

        Publish("t", 10);
        slow.Reader.TryRead(out _);
        Publish("t", 10);
        Reported().Should().Equal([1], "it was never empty in between");

        slow.ReadQueued();
        Publish("t", 2);
        Reported().Should().BeEmpty("nothing was lost since it was empty");
        _time.Advance(LagReports.Interval);
        Publish("t", 2);
        Reported().Should().Equal(slow.Dropped - 1);
    }

    [Fact]
    public void Overflow_OfALatestValueSubscriber_IsReportedAtMostOnceInTenSeconds()
    {
        using Subscription<int> latest = _bus.Subscribe<int>("t", new() { Capacity = 1, Overflow = OverflowPolicy.DropOldest });
        List<long> reported = [];
        for (int tenth = 0; tenth <= 300; tenth++)
        {
            // Read in between, so that every loss begins an episode.
            Publish("t", 2);
            latest.ReadEvents().Should().Equal(1);
            reported.AddRange(Reported());
            _time.Advance(TimeSpan.FromSeconds(0.1));
        }

        reported.Should().Equal([1, 101, 201, 301], "at once, and every 10 s with the total");
        _log.Lines.Should().HaveCount(4);
    }

    [Fact]
    public void Overflow_HeldBackAndGoingOn_IsReportedWithTheFirstLossAfterTenSeconds()
    {
        using Subscription<int> slow = _bus.Subscribe<int>("t", new() { Capacity = 1 });
        Publish("t", 2);
        slow.ReadQueued();
        _time.Advance(TimeSpan.FromSeconds(5));
        Publish("t", 3);
        Reported().Should().Equal([1], "the second episode began too soon after");

        _time.Advance(TimeSpan.FromSeconds(4.9));
        Publish("t", 1);
        Reported().Should().BeEmpty();
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Publish("t", 1);
        Reported().Should().Equal([5], "with the total");

        _time.Advance(TimeSpan.FromSeconds(60));
        Publish("t", 1);
        Reported().Should().BeEmpty("this episode has been reported");
    }

    [Fact]
    public void Overflow_HeldBackAndOver_IsNotReportedUntilTheNextOne()
    {
        using Subscription<int> slow = _bus.Subscribe<int>("t", new() { Capacity = 1 });
        for (int episode = 0; episode < 2; episode++)
        {
            Publish("t", 2);
            slow.ReadQueued();
        }

        Reported().Should().Equal(1);
        _time.Advance(TimeSpan.FromSeconds(30));
        Publish("t", 1);
        Reported().Should().BeEmpty("there was room");
        Publish("t", 3);
        Reported().Should().Equal(3);
    }

    [Fact]
    public async Task WaitingInVain_HeldBack_IsReportedWhenItIsDue()
    {
        using Subscription<int> slow = _bus.Subscribe<int>("t", new() { Capacity = 1, WaitTimeout = TimeSpan.FromSeconds(8) });
        Publish("t", 2);
        slow.ReadQueued();
        Publish("t", 2);
        Reported().Should().Equal(1);
        slow.Reader.TryRead(out _).Should().BeTrue();
        Publish("t", 2);

        _time.Advance(TimeSpan.FromSeconds(3));
        Reported().Should().BeEmpty();
        slow.Reader.TryRead(out _);
        Publish("t", 1);
        Task<PublishResult> waiting = _bus.PublishAsync("t", 1).AsTask();
        _time.Advance(TimeSpan.FromSeconds(8));

        (await waiting.Soon()).Dropped.Should().Be(1);
        Reported().Should().Equal([4], "it gave up after the 10 s, though its event was published before");
    }

    [Fact]
    public void Overflow_HeldBack_IsOfOneSubscriberAndNotOfOthers()
    {
        using Subscription<int> first = _bus.Subscribe<int>("t", new() { Capacity = 1 });
        Publish("t", 2);
        first.ReadQueued();
        using Subscription<int> second = _bus.Subscribe<int>("t", new() { Capacity = 1 });

        Publish("t", 2);

        _reports.ReadQueued().Select(r => ((BusEvent.SubscriberLagging)r.Event).SubscriptionId).Should().Equal(first.Id, second.Id);
    }

    [Fact]
    public void Overflow_HeldBack_CostsThePublisherNothing()
    {
        using InProcessEventBus bus = new();
        using Subscription<int> latest = bus.Subscribe<int>("t", new() { Capacity = 1, Overflow = OverflowPolicy.DropOldest });
        LoseAndRead(2);

        Memory.AllocatedBy(() => LoseAndRead(1_000)).Should().Be(0);

        latest.Dropped.Should().Be(1_002);

        void LoseAndRead(int times)
        {
            for (int i = 0; i < times; i++)
            {
                bus.Publish("t", i);
                bus.Publish("t", i);
                latest.Reader.TryRead(out _);
            }
        }
    }

    [Fact]
    public void ClockSetBack_SilencesNobody()
    {
        LagReports reports = default;
        long now = TimeSpan.FromDays(700_000).Ticks;
        reports.TryPass(begins: true, now).Should().BeTrue();
        reports.TryPass(begins: true, now - TimeSpan.FromSeconds(1).Ticks).Should().BeFalse("threads do not read the clock in order");
        long back = now - TimeSpan.FromHours(1).Ticks;
        reports.IsConcernedBy(begins: false, back).Should().BeTrue();
        reports.TryPass(begins: false, back).Should().BeTrue();
        reports.TryPass(begins: true, back + LagReports.Interval.Ticks - 1).Should().BeFalse();
        reports.TryPass(begins: true, back + LagReports.Interval.Ticks).Should().BeTrue();
    }

    [Fact]
    public void Overflow_OfSeveralSubscribers_IsReportedForEach()
    {
        using Subscription<int> first = _bus.Subscribe<int>("t", new() { Capacity = 1 }), second = _bus.Subscribe<int>("t", new() { Capacity = 1 });

        Publish("t", 3);

        _reports.ReadQueued().Select(r => ((BusEvent.SubscriberLagging)r.Event).SubscriptionId).Should().Equal(first.Id, second.Id);
    }

    [Fact]
    public void Overflow_UnderClose_IsReported()
    {
        using Subscription<int> closing = _bus.Subscribe<int>("t", new() { Capacity = 1, Overflow = OverflowPolicy.Close });
        Publish("t", 3);
        Reported().Should().Equal(1);
    }

    [Fact]
    public async Task WaitingInVain_IsReportedHoweverItEnds()
    {
        SubscriptionOptions one = new() { Capacity = 1 };
        using Subscription<int> timedOut = _bus.Subscribe<int>("a", one), cancelled = _bus.Subscribe<int>("b", one), ended = _bus.Subscribe<int>("c", one);
        using CancellationTokenSource cancel = new();
        foreach (string topic in (string[])["a", "b", "c"])
            _bus.Publish(topic, 0);
        Task<PublishResult> second = _bus.PublishAsync("b", 1, cancel.Token).AsTask(), third = _bus.PublishAsync("c", 1).AsTask();
        await cancel.CancelAsync();
        _bus.Complete("c");
        Task<PublishResult> first = _bus.PublishAsync("a", 1).AsTask();
        _time.Advance(TimeSpan.FromSeconds(1));

        _reports.ReadQueued().Select(r => ((BusEvent.SubscriberLagging)r.Event).Topic).Should().Equal("b", "c", "a");
        await first.Soon();
        await third.Soon();
        await FluentActions.Awaiting(() => second.Soon()).Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public void Dispose_OfASubscriberThatIsWaitedFor_IsNoLoss()
    {
        Subscription<int> leaving = _bus.Subscribe<int>("t", new() { Capacity = 1 });
        _bus.Publish("t", 0);
        _ = _bus.PublishAsync("t", 1).AsTask();

        leaving.Dispose();

        Reported().Should().BeEmpty();
    }

    [Fact]
    public void Overflow_OfASubscriberToTheBusesOwnTopics_IsOnlyCounted()
    {
        using Subscription<BusEvent> small = _bus.Subscribe<BusEvent>("$bus:lagging", new() { Capacity = 1 });

        LoseOnce("a");
        LoseOnce("b");
        LoseOnce("c");

        small.Dropped.Should().Be(2);
        Reported().Should().Equal(1, 1, 1);
        _log.Lines.Should().HaveCount(3).And.OnlyContain(l => !l.Message.Contains("$bus"));
        _bus.GetStatistics().Dropped.Should().Be(3);
    }

    [Fact]
    public void Overflow_OfASubscriberToBoth_IsReportedForTheUsersEventsAlone()
    {
        using Subscription<object> both = _bus.Subscribe<object>(["$bus:#", "mine"], new() { Capacity = 1 });
        LoseOnce("a");
        LoseOnce("b");
        both.Dropped.Should().Be(1);
        _reports.ReadQueued();

        Publish("mine", 1);

        BusEvent.SubscriberLagging report = _reports.ReadQueued().Should().ContainSingle().Which.Event
            .Should().BeOfType<BusEvent.SubscriberLagging>().Which;
        (report.SubscriptionId, report.Topic).Should().Be((both.Id, "mine"));
        both.Dropped.Should().Be(3, "its own report was lost to it, too");
        _bus.GetStatistics().Dropped.Should().Be(3, "one of mine, and one each on a and b");
    }

    [Fact]
    public void OwnTraffic_IsLeftOutOfStatistics()
    {
        using Subscription<BusEvent> small = _bus.Subscribe<BusEvent>("$bus:*", new() { Capacity = 1 });
        LoseOnce("a");
        LoseOnce("b");
        _reports.Reader.TryRead(out _);
        small.Dispose();

        EventBusStatistics statistics = _bus.GetStatistics();

        (statistics.Published, statistics.Delivered, statistics.Dropped, statistics.Discarded, statistics.Queued)
            .Should().Be((4, 0, 2, 2, 0));
        _reports.Count.Should().Be(1);
        statistics.HighestFill.Should().Be(0);
    }

    [Fact]
    public async Task OwnTraffic_HeldBackByAHandler_IsLeftOutOfStatistics()
    {
        TaskCompletionSource started = new(), goOn = new();
        await using HandlerSubscription handler = _bus.Handle<BusEvent>(
            "$bus:#",
            async (_, _) =>
            {
                started.TrySetResult();
                await goOn.Task;
            },
            new() { MaxConcurrency = 2 });
        LoseOnce("a");
        await started.Task.Soon();
        LoseOnce("b");
        LoseOnce("c");

        EventBusStatistics held = _bus.GetStatistics();
        handler.Dispose();
        EventBusStatistics left = _bus.GetStatistics();
        goOn.SetResult();

        (held.Queued, left.Queued, left.Discarded).Should().Be((0, 0, 3), "only the three that the users left queued were discarded");
    }

    private void LoseOnce(string topic)
    {
        using Subscription<int> slow = _bus.Subscribe<int>(topic, new() { Capacity = 1 });
        Publish(topic, 2);
    }

    private void Publish(string topic, int count)
    {
        for (int i = 0; i < count; i++)
            _bus.Publish(topic, i);
    }

    private IEnumerable<long> Reported() => _reports.ReadQueued().Select(r => ((BusEvent.SubscriberLagging)r.Event).Dropped);
}
