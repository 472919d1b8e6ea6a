namespace EventBus.Tests.Routing;

/// <summary>Who would be reached: the scenarios that registries of processes are held to elsewhere.</summary>
public sealed class LookupTests : IDisposable
{
    private readonly InProcessEventBus _bus = new();

    public void Dispose() => _bus.Dispose();

    [Fact]
    public void Unsubscribe_OneOfTwoOfAnOwner_LeavesTheOther()
    {
        Subscription<int> first = _bus.Subscribe<int>("a");
        using Subscription<int> second = _bus.Subscribe<int>("a");
        using Subscription<int> other = _bus.Subscribe<int>("b");
        _bus.Publish("a", 1).Matched.Should().Be(2);

        first.Dispose();
        first.Dispose();

        _bus.Publish("a", 2).Matched.Should().Be(1);
        second.ReadEvents().Should().Equal(1, 2);
        other.ReadEvents().Should().BeEmpty();
        _bus.GetSubscriptions("a").Select(s => s.Id).Should().Equal(second.Id);
    }

    [Theory]
    [InlineData("disposed")]
    [InlineData("cancelled")]
    [InlineData("completed")]
    [InlineData("overflowed")]
    [InlineData("drained")]
    public void DeadSubscriber_DisappearsFromEveryLookup(string how)
    {
        using CancellationTokenSource source = new();
        using Subscription<int> dies = _bus.Subscribe<int>(
            "a", new() { Capacity = 1, Overflow = OverflowPolicy.Close }, source.Token);
        _bus.Publish("a", 1).Matched.Should().Be(1);

        switch (how)
        {
            case "disposed":
                dies.Dispose();
                break;
            case "cancelled":
                source.Cancel();
                break;
            case "completed":
                _bus.Complete("a").Should().BeTrue();
                break;
            case "overflowed":
                _bus.Publish("a", 2).Should().Be(new PublishResult(1, 1));
                break;
            default:
                _ = dies.DrainAsync().AsTask();
                break;
        }

        _bus.HasSubscribers("a").Should().BeFalse();
        _bus.GetSubscriptions("a").Should().BeEmpty();
        _bus.GetSubscriptions().Should().BeEmpty();
        _bus.Publish("a", 3).Matched.Should().Be(0);
        _bus.GetStatistics().Should().BeEquivalentTo(new { Topics = 0, Subscriptions = 0 });
    }

    [Fact]
    public void Topics_CountsExactTopicsWithSubscribersOnce()
    {
        using Subscription<int> a = _bus.Subscribe<int>("a");
        using Subscription<string> again = _bus.Subscribe<string>("a");
        using Subscription<int> both = _bus.Subscribe<int>(["a", "b"]);
        using Subscription<int> pattern = _bus.Subscribe<int>("c:*");
        _bus.Publish("c:1", 1);

        _bus.GetStatistics().Topics.Should().Be(2);
        both.Dispose();
        _bus.GetStatistics().Topics.Should().Be(1);
    }

    [Fact]
    public void GetSubscriptions_OfATopic_AreThoseWhoseTypeNobodyAskedAbout()
    {
        using Subscription<string> text = _bus.Subscribe<string>("a:*", new() { Name = "text", Capacity = 5 });
        using Subscription<int> number = _bus.Subscribe<int>("a:1");
        using Subscription<int> elsewhere = _bus.Subscribe<int>("b");
        _bus.Publish("a:1", 7);
        _bus.Publish("a:1", 8);
        number.ReadEvents();
        _bus.Publish("a:1", 9);

        IReadOnlyList<SubscriptionInfo> infos = _bus.GetSubscriptions("a:1");

        infos.Select(i => i.Id).Should().Equal(text.Id, number.Id);
        infos[0].Should().BeEquivalentTo(new { Name = "text", EventType = typeof(string), Capacity = 5, Count = 0 });
        infos[0].Patterns.Should().Equal("a:*");
        infos[1].Should().BeEquivalentTo(new { Count = 1, Delivered = 2L, Dropped = 0L, EventType = typeof(int) });
        _bus.GetSubscriptions().Should().HaveCount(3);
    }

    [Fact]
    public void Lookups_OfWhatIsNoTopic_SayWhy()
    {
        FluentActions.Invoking(() => _bus.HasSubscribers("a:*")).Should().Throw<ArgumentException>()
            .WithMessage("*\"a:?\"*wildcard*");
        FluentActions.Invoking(() => _bus.GetSubscriptions("a::b")).Should().Throw<ArgumentException>()
            .WithMessage("*\"a::b\"*empty*");
        FluentActions.Invoking(() => _bus.HasSubscribers(null!)).Should().Throw<ArgumentNullException>();
    }

    [Fact]
    public void Lookups_DisposedBus_FindNobody()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("a");
        _bus.Dispose();

        _bus.HasSubscribers("a").Should().BeFalse();
        _bus.GetSubscriptions("a").Should().BeEmpty();
        _bus.GetSubscriptions().Should().BeEmpty();
    }

    [Fact]
    public void Lookups_CompletedTopicThatKeepsHistory_FindNobodyAsAPublishReachesNobody()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("run:*"));
        using Subscription<int> all = bus.Subscribe<int>("run:#");
        bus.Publish("run:1", 1).Matched.Should().Be(1);
        bus.Complete("run:1").Should().BeTrue();

        bus.HasSubscribers("run:1").Should().BeFalse();
        bus.GetSubscriptions("run:1").Should().BeEmpty();
        bus.HasSubscribers("run:2").Should().BeTrue();
        bus.GetSubscriptions().Should().ContainSingle();
        bus.Forget("run:1").Should().BeTrue();
        bus.HasSubscribers("run:1").Should().BeTrue();
    }
}
