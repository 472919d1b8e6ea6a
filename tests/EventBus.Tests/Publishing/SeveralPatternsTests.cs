namespace EventBus.Tests.Publishing;

/// <summary>One subscription over several patterns: one channel, one order, an event that several match comes once.</summary>
public sealed class SeveralPatternsTests : IDisposable
{
    private readonly InProcessEventBus _bus = new();

    public void Dispose() => _bus.Dispose();

    [Fact]
    public void Publish_MatchedBySeveralPatterns_ComesOnce()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>(["a:1", "a:*", "a:#", "#", "#:1", "*:*"]);

        _bus.Publish("a:1", 1).Should().Be(new PublishResult(1, 0));

        subscription.ReadEvents().Should().Equal(1);
    }

    [Fact]
    public void Publish_ToTheTopicsOfSeveralPatterns_ComesInOneOrder()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>(["a", "b:*", "c:#"]);
        string[] topics = ["a", "b:1", "c", "c:x:y", "a", "b:2"];

        for (int i = 0; i < topics.Length; i++)
            _bus.Publish(topics[i], i).Matched.Should().Be(1);
        _bus.Publish("b", 9).Matched.Should().Be(0);

        subscription.ReadQueued().Select(e => (e.Topic, e.Event)).Should().Equal(topics.Select((t, i) => (t, i)));
    }

    [Fact]
    public void Publish_ToSeveralPatterns_SharesOneCapacity()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>(["a", "b"], new() { Capacity = 2 });

        _bus.Publish("a", 1);
        _bus.Publish("b", 2);
        _bus.Publish("a", 3).Should().Be(new PublishResult(1, 1));

        subscription.ReadEvents().Should().Equal(1, 2);
    }

    [Fact]
    public void Dispose_SeveralPatterns_LeavesThemAll()
    {
        Subscription<int> subscription = _bus.Subscribe<int>(["a", "b", "c:*"]);
        using Subscription<int> stays = _bus.Subscribe<int>("b");

        subscription.Dispose();

        _bus.HasSubscribers("a").Should().BeFalse();
        _bus.HasSubscribers("c:1").Should().BeFalse();
        _bus.Publish("b", 1).Matched.Should().Be(1);
        _bus.GetStatistics().Topics.Should().Be(1);
    }

    [Fact]
    public void Subscribe_SamePatternTwice_IsOnePattern()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>(["a", "a"]);

        subscription.Patterns.Should().Equal("a");
        _bus.Publish("a", 1).Matched.Should().Be(1);
        subscription.Count.Should().Be(1);
    }

    [Fact]
    public void Subscribe_NoPatternOrABadOne_SaysWhich()
    {
        FluentActions.Invoking(() => _bus.Subscribe<int>([])).Should().Throw<ArgumentException>().WithMessage("*at least one*");
        FluentActions.Invoking(() => _bus.Subscribe<int>(["ok", "a::b"])).Should().Throw<ArgumentException>()
            .WithMessage("*\"a::b\"*segment is empty*");
        FluentActions.Invoking(() => _bus.Subscribe<int>((string)null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => _bus.Subscribe<int>((string[])null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => _bus.Subscribe<int>(["ok", null!])).Should().Throw<ArgumentNullException>();
        _bus.GetStatistics().Subscriptions.Should().Be(0);
        _bus.HasSubscribers("ok").Should().BeFalse();
    }

    [Fact]
    public void Handle_SeveralPatterns_IsOneSubscription()
    {
        using HandlerSubscription handler = _bus.Handle<int>(["a:*", "a:1"], (_, _) => default);

        _bus.Publish("a:1", 1).Matched.Should().Be(1);
        handler.Patterns.Should().Equal("a:*", "a:1");
    }
}
