namespace EventBus.Tests.Publishing;

/// <summary>At rest everything matched is delivered, dropped, discarded or queued.</summary>
public sealed class StatisticsTests : IDisposable
{
    private readonly InProcessEventBus _bus = new(new EventBusOptions().KeepHistory("kept:#"));

    public void Dispose() => _bus.Dispose();

    [Fact]
    public async Task Statistics_AtRest_AddUp()
    {
        Random random = new(4711);
        long matched = 0, published = 0;
        List<Subscription<int>> subscriptions = [];
        for (int step = 0; step < 3000; step++)
        {
            Subscription<int>? some = subscriptions.Count == 0 ? null : subscriptions[random.Next(subscriptions.Count)];
            switch (random.Next(20))
            {
                case 0 when subscriptions.Count < 30:
                    Subscription<int> joined = _bus.Subscribe<int>(
                        Pick("kept:1", "plain", "kept:*", "#"),
                        new()
                        {
                            Capacity = random.Next(1, 8),
                            Overflow = Pick(Enum.GetValues<OverflowPolicy>()),
                            WaitTimeout = TimeSpan.Zero,
                            Replay = Pick(Replay.None, Replay.Last(3), Replay.All),
                        });
                    subscriptions.Add(joined);
                    matched += joined.Count;
                    break;
                case 1:
                    some?.Dispose();
                    break;
                case 2:
                    _bus.Complete(Pick("kept:1", "plain"));
                    _bus.Forget("kept:1");
                    break;
                case < 8:
                    some?.Reader.TryRead(out _);
                    break;
                case < 14:
                    published++;
                    matched += (await _bus.PublishAsync(Pick("kept:1", "kept:2", "plain"), step)).Matched;
                    break;
                default:
                    published++;
                    matched += _bus.Publish(Pick("kept:1", "kept:2", "plain"), step).Matched;
                    break;
            }
        }

        ShouldAddUp(matched, published);
        subscriptions.ForEach(s => s.ReadQueued());
        ShouldAddUp(matched, published).Queued.Should().Be(0);
        _bus.Dispose();
        ShouldAddUp(matched, published).Subscriptions.Should().Be(0);

        T Pick<T>(params ReadOnlySpan<T> of) => of[random.Next(of.Length)];
    }

    [Fact]
    public void Statistics_Published_CountsWhatWasAccepted()
    {
        _bus.Publish("a", 1);
        _bus.Publish("b", 1);
        FluentActions.Invoking(() => _bus.Publish("$a", 1)).Should().Throw<ArgumentException>();
        _bus.Publish("kept:1", 1);
        _bus.Complete("kept:1").Should().BeTrue();
        _bus.Publish("kept:1", 2).Should().Be(default(PublishResult));

        EventBusStatistics statistics = _bus.GetStatistics();
        (statistics.Published, statistics.RefusedAfterCompletion).Should().Be((3, 1));
        (statistics.HistoryTopics, statistics.HistoryEvents).Should().Be((1, 1));
    }

    [Fact]
    public void Statistics_HighestFill_IsThatOfTheFullestChannelWithoutReplay()
    {
        _bus.GetStatistics().HighestFill.Should().Be(0);
        for (int i = 0; i < 3; i++)
            _bus.Publish("kept:1", i);
        using Subscription<int> half = _bus.Subscribe<int>("t", new() { Capacity = 4 });
        using Subscription<int> fuller = _bus.Subscribe<int>("t", new() { Capacity = 3 });
        using Subscription<int> replaying = _bus.Subscribe<int>("kept:1", new() { Capacity = 2, Replay = Replay.All });
        _bus.Publish("t", 1);
        _bus.Publish("t", 2);

        EventBusStatistics statistics = _bus.GetStatistics();
        statistics.HighestFill.Should().BeApproximately(2.0 / 3, 1e-9);
        statistics.Queued.Should().Be(7);
    }

    [Fact]
    public void Statistics_SubscriptionThatEndedUnread_CountsAsQueuedUntilItIsReadOrLeft()
    {
        using Subscription<int> read = _bus.Subscribe<int>("t"), left = _bus.Subscribe<int>("t");
        _bus.Publish("t", 1);
        _bus.Complete("t");

        EventBusStatistics ended = _bus.GetStatistics();
        (ended.Subscriptions, ended.Topics, ended.Queued).Should().Be((0, 0, 2));
        _bus.GetSubscriptions().Should().BeEmpty();
        read.ReadEvents();
        left.Dispose();
        EventBusStatistics gone = _bus.GetStatistics();
        (gone.Queued, gone.Delivered, gone.Discarded).Should().Be((0, 1, 1));
    }

    [Fact]
    public void GetSubscriptions_ShowsThoseAPublishWouldReach()
    {
        using Subscription<int> exact = _bus.Subscribe<int>("a:1", new() { Capacity = 1, Name = "exact" });
        using Subscription<string> pattern = _bus.Subscribe<string>(["a:*", "b"]);
        using Subscription<int> other = _bus.Subscribe<int>("b");
        _bus.Publish("a:1", 1);
        _bus.Publish("a:1", 2);
        _bus.Publish("a:1", "x");
        pattern.Reader.TryRead(out _);

        _bus.GetSubscriptions("a:1").Select(s => s.Id).Should().Equal(exact.Id, pattern.Id);
        _bus.GetSubscriptions().Select(s => s.Id).Should().Equal(exact.Id, pattern.Id, other.Id);
        SubscriptionInfo info = _bus.GetSubscriptions("a:1")[0];
        info.Should().BeEquivalentTo(
            new SubscriptionInfo(exact.Id, "exact", ["a:1"], typeof(int), 1, Count: 1, Delivered: 0, Dropped: 1, info.CreatedAt));
        _bus.GetSubscriptions("b")[0].Should().BeEquivalentTo(new { Delivered = 1L, Count = 0, EventType = typeof(string) });
        FluentActions.Invoking(() => _bus.GetSubscriptions("a:*")).Should().Throw<ArgumentException>();
    }

    private EventBusStatistics ShouldAddUp(long matched, long published)
    {
        EventBusStatistics now = _bus.GetStatistics();
        (now.Delivered + now.Dropped + now.Discarded + now.Queued).Should().Be(matched, now.ToString());
        (now.Published + now.RefusedAfterCompletion).Should().Be(published);
        return now;
    }
}
