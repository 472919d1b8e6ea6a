using EventBus.Testing;

namespace EventBus.Tests.Publishing;

/// <summary>Fire and forget: who gets an event, what the result says, what is refused.</summary>
public sealed class PublishTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly InProcessEventBus _bus;

    public PublishTests() => _bus = new(timeProvider: _time);

    public void Dispose() => _bus.Dispose();

    [Fact]
    public void Publish_NobodyListens_MatchesNobody()
    {
        _bus.Publish("t", 1).Should().Be(default(PublishResult));
        _bus.GetStatistics().Published.Should().Be(1);
    }

    [Fact]
    public void Publish_OnTheLineAfterSubscribe_IsDelivered()
    {
        _bus.Publish("t", 0);
        using Subscription<int> subscription = _bus.Subscribe<int>("t");
        _bus.Publish("t", 1).Matched.Should().Be(1);
        subscription.ReadEvents().Should().Equal(1);
    }

    [Fact]
    public void Publish_ManySubscribers_EachGetsTheEventAndTheResultCountsThem()
    {
        Subscription<string>[] subscriptions = [.. Enumerable.Range(0, 10).Select(_ => _bus.Subscribe<string>("t"))];

        _bus.Publish("t", "e").Should().Be(new PublishResult(10, 0));

        subscriptions.Should().OnlyContain(s => s.Count == 1);
        subscriptions.SelectMany(s => s.ReadEvents()).Should().Equal(Enumerable.Repeat("e", 10));
    }

    [Fact]
    public void Publish_OtherTopic_DoesNotLeak()
    {
        using Subscription<int> a = _bus.Subscribe<int>("a"), b = _bus.Subscribe<int>("b");

        _bus.Publish("a", 1).Matched.Should().Be(1);
        _bus.Publish("A", 2).Matched.Should().Be(0, "topics are compared ordinally");
        _bus.Publish("a:b", 3).Matched.Should().Be(0);

        a.ReadEvents().Should().Equal(1);
        b.ReadEvents().Should().BeEmpty();
    }

    [Fact]
    public void Subscribe_TwiceByOneOwner_GetsTwoDeliveries()
    {
        using Subscription<int> first = _bus.Subscribe<int>("t"), second = _bus.Subscribe<int>("t");

        _bus.Publish("t", 1).Matched.Should().Be(2);

        first.ReadEvents().Should().Equal(1);
        second.ReadEvents().Should().Equal(1);
        second.Id.Should().BeGreaterThan(first.Id);
    }

    [Fact]
    public void Publish_Except_SkipsOnlyThatSubscription()
    {
        using Subscription<int> self = _bus.Subscribe<int>("t"), twin = _bus.Subscribe<int>("t"), wild = _bus.Subscribe<int>("#");

        _bus.Publish("t", 1, except: self).Should().Be(new PublishResult(2, 0));

        self.Count.Should().Be(0);
        twin.ReadEvents().Should().Equal(1);
        wild.ReadEvents().Should().Equal(1);
    }

    [Fact]
    public async Task PublishAsync_Except_SkipsOnlyThatSubscription()
    {
        using Subscription<int> self = _bus.Subscribe<int>("t"), twin = _bus.Subscribe<int>("t");

        (await _bus.PublishAsync("t", 1, self)).Should().Be(new PublishResult(1, 0));

        self.Count.Should().Be(0);
        twin.ReadEvents().Should().Equal(1);
    }

    [Fact]
    public void Publish_ExceptSubscribedByPatternOrElsewhere_IsSkippedOnlyWhereItMatches()
    {
        using InProcessEventBus other = new();
        using Subscription<int> pattern = _bus.Subscribe<int>("a:*"), stranger = other.Subscribe<int>("a:1");

        _bus.Publish("a:1", 1, except: pattern).Should().Be(default(PublishResult));
        _bus.Publish("a:1", 2, except: stranger).Should().Be(new PublishResult(1, 0));

        pattern.ReadEvents().Should().Equal(2);
    }

    [Fact]
    public void Publish_Event_ArrivesWithItsTopicTimeAndNothingElse()
    {
        _time.Advance(TimeSpan.FromTicks(12_345_678));
        using Subscription<string> subscription = _bus.Subscribe<string>("a:*");

        _bus.Publish("a:7", "e");

        Envelope<string> envelope = subscription.ReadQueued().Single();
        envelope.Should().Be(new Envelope<string>("a:7", "e") { PublishedAt = _time.GetUtcNow() });
        (envelope.Sequence, envelope.Missed, envelope.Node).Should().Be((0L, 0L, null));
        (string topic, string e) = envelope;
        (topic, e).Should().Be(("a:7", "e"));
    }

    [Fact]
    public void Publish_ReferenceEvent_HandsOverTheSameInstance()
    {
        using Subscription<object> first = _bus.Subscribe<object>("t"), second = _bus.Subscribe<object>("t");
        object e = new();

        _bus.Publish("t", e);

        first.ReadEvents().Single().Should().BeSameAs(e);
        second.ReadEvents().Single().Should().BeSameAs(e);
    }

    [Fact]
    public void Publish_OneThread_KeepsTheOrder()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("#");
        for (int i = 0; i < 1000; i++)
            _bus.Publish($"t{i % 7}", i);
        subscription.ReadEvents().Should().Equal(Enumerable.Range(0, 1000));
    }

    [Fact]
    public async Task Publish_DisposedBus_ReturnsDefaultAndDoesNotThrow()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t");
        _bus.Publish("t", 0);
        _bus.Dispose();

        _bus.Publish("t", 1).Should().Be(default(PublishResult));
        _bus.Publish("new", 1).Should().Be(default(PublishResult));
        (await _bus.PublishAsync("t", 1)).Should().Be(default(PublishResult));
        _bus.HasSubscribers("t").Should().BeFalse();
        _bus.Complete("t").Should().BeFalse();
        subscription.ReadEvents().Should().Equal(0);
    }

    [Fact]
    public void Subscribe_DisposedBus_Throws()
    {
        _bus.Dispose();

        FluentActions.Invoking(() => _bus.Subscribe<int>("t")).Should().Throw<ObjectDisposedException>();
        FluentActions.Invoking(() => _bus.Handle<int>("t", (_, _) => default)).Should().Throw<ObjectDisposedException>();
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("a::b", "a segment is empty")]
    [InlineData(":a", "a segment is empty")]
    [InlineData("a:", "a segment is empty")]
    [InlineData("a:*", "wildcard")]
    [InlineData("#", "wildcard")]
    [InlineData("a\nb", "U+000A")]
    [InlineData("$bus:lagging", "the bus's own")]
    [InlineData("$mine", "the bus's own")]
    public void Publish_BadTopic_QuotesItAndNamesTheRule(string topic, string rule)
    {
        // Known or not, first or second time: the answer is the same.
        for (int i = 0; i < 2; i++)
        {
            FluentActions.Invoking(() => _bus.Publish(topic, 1)).Should().Throw<ArgumentException>()
                .WithParameterName(nameof(topic)).Which.Message.Should().Contain($"\"{topic.Replace("\n", "\\u000a")}\"").And.Contain(rule);
            FluentActions.Invoking(() => _bus.PublishAsync(topic, 1)).Should().Throw<ArgumentException>()
                .WithParameterName(nameof(topic)).Which.Message.Should().Contain(rule);
            _bus.GetSubscriptions("$bus:lagging").Should().BeEmpty();
        }
    }

    [Fact]
    public void Publish_TooLongTopic_NamesTheLimit()
    {
        string longest = new('a', Topic.MaxLength), tooLong = longest + "b";

        _bus.Publish(longest, 1);
        FluentActions.Invoking(() => _bus.Publish(tooLong, 1)).Should().Throw<ArgumentException>()
            .Which.Message.Should().Contain("256").And.Contain("255");
    }

    [Fact]
    public void Publish_Null_NamesTheArgument()
    {
        FluentActions.Invoking(() => _bus.Publish<string>(null!, "e")).Should().Throw<ArgumentNullException>().WithParameterName("topic");
        FluentActions.Invoking(() => _bus.Publish<string>("t", null!)).Should().Throw<ArgumentNullException>().WithParameterName("event");
        FluentActions.Invoking(() => _bus.PublishAsync<string>("t", null!)).Should().Throw<ArgumentNullException>().WithParameterName("event");
    }

    [Fact]
    public void Publish_SegmentsThatOnlyContainWildcardCharacters_AreOrdinary()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("a*b:C#:$x");
        _bus.Publish("a*b:C#:$x", 1).Matched.Should().Be(1);
    }

    [Fact]
    public void TypedTopic_PublishAndSubscribe_AreTheSameAsWithItsName()
    {
        Topic<string> topic = new("typed");
        using Subscription<string> typed = _bus.Subscribe(topic), named = _bus.Subscribe<string>("typed");

        _bus.Publish(topic, "e", except: named).Matched.Should().Be(1);

        typed.ReadEvents().Should().Equal("e");
    }

    [Fact]
    public async Task TypedTopic_EveryCall_ReachesTheBus()
    {
        Topic<string> topic = new("typed");
        using CancellationTokenSource end = new();
        using Subscription<string> first = _bus.Subscribe(topic, end.Token);
        using Subscription<string> second = _bus.Subscribe<string>("typed", end.Token);
        TaskCompletionSource<string> handled = new(), handledByName = new();
        using HandlerSubscription handler = _bus.Handle(
            topic,
            (e, _) =>
            {
                handled.TrySetResult(e.Event);
                return default;
            },
            end.Token);
        using HandlerSubscription byName = _bus.Handle<string>(
            "typed",
            (e, _) =>
            {
                handledByName.TrySetResult(e.Event);
                return default;
            },
            end.Token);

        (await _bus.PublishAsync(topic, "e", CancellationToken.None)).Matched.Should().Be(4);
        (await _bus.PublishAsync(topic, "f", except: second)).Matched.Should().Be(3);

        (await handled.Task.Soon()).Should().Be("e");
        (await handledByName.Task.Soon()).Should().Be("e");
        first.ReadEvents().Should().Equal("e", "f");
        second.ReadEvents().Should().Equal("e");
        await end.CancelAsync();
        _bus.HasSubscribers("typed").Should().BeFalse();
    }
}
