using EventBus.Delivery;
using EventBus.Routing;

namespace EventBus.Tests.Routing;

/// <summary>A route that there is no memory for harms nobody: not its topic, nor the next one.</summary>
public sealed class OutOfMemoryTests : IDisposable
{
    private readonly RoutingRig _rig = new(new HistoryRule { Pattern = "kept:#" });

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData("a:b", 0)]
    [InlineData("a:b", 1)]
    [InlineData("a:c", 0)]
    [InlineData("kept:b", 0)]
    public void Publish_NoMemoryForTheRoute_ReachesExactlyThoseItIsForEachOnce(string topic, int arraysLeft)
    {
        SubscriberChannel<int>[] all =
            [_rig.Join("#"), _rig.Join(topic, "*:*"), _rig.Join("*:b"), _rig.Join("other"), _rig.Join("a:c"), _rig.Join("$bus:#")];
        SubscriberChannel<object> boxed = _rig.Create<object>("*:*");
        _rig.Registry.Join(boxed);
        (_rig.ArrayFailure, _rig.ArraysLeft) = (new InsufficientMemoryException(), arraysLeft);

        int expected = 1 + all.Count(c => c.Profile.Patterns.Any(p => p.Matches(topic)));
        _rig.Publish(topic, 1).Should().Be(new PublishResult(expected, 0));
        _rig.Publish("other", 2).Should().Be(new PublishResult(2, 0), "nothing of the topic before is left");
        _rig.ArrayFailure = null;
        _rig.Publish(topic, 3).Should().Be(new PublishResult(expected, 0));

        foreach (SubscriberChannel<int> channel in all)
        {
            bool isMember = channel.Profile.Patterns.Any(p => p.Matches(topic)), isOther = channel.Profile.Patterns.Any(p => p.Matches("other"));
            int[] events = [.. isMember ? [1] : Array.Empty<int>(), .. isOther ? [2] : Array.Empty<int>(), .. isMember ? [3] : Array.Empty<int>()];
            EventsOf(channel).Should().Equal(events, channel.Profile.ToString());
        }

        EventsOf(boxed).Should().Equal(1, 3);
    }

    [Fact]
    public void Publish_NoMemoryForTheRoute_LeavesOutWhomItExcepts()
    {
        SubscriberChannel<int> publisher = _rig.Join("a:*"), other = _rig.Join("a:b");
        _rig.ArrayFailure = new InsufficientMemoryException();

        _rig.Publish("a:b", 1, except: publisher).Matched.Should().Be(1);

        EventsOf(publisher).Should().BeEmpty();
        EventsOf(other).Should().Equal(1);
    }

    [Fact]
    public async Task PublishAsync_NoMemoryForTheRoute_WaitsForWhomItHasTo()
    {
        SubscriberChannel<int> full = _rig.Join("a");
        _rig.ArrayFailure = new InsufficientMemoryException();
        for (int i = 0; i < full.Profile.Capacity; i++)
            _rig.Publish("a", i);

        Task<PublishResult> waiting = _rig.Router.PublishAsync("a", -1, except: null, CancellationToken.None).AsTask();
        waiting.IsCompleted.Should().BeFalse();
        full.TryRead(out _).Should().BeTrue();

        (await waiting.Soon()).Should().Be(new PublishResult(1, 0));
    }

    [Fact]
    public void Publish_RouteFailsToBeBuilt_ThrowsBeforeAnythingBeganAndTheNextIsRight()
    {
        SubscriberChannel<int> a = _rig.Join("a", "a:#"), b = _rig.Join("b:*");
        _rig.ArrayFailure = new InvalidOperationException("no array");

        FluentActions.Invoking(() => _rig.Publish("a", 1)).Should().Throw<InvalidOperationException>();
        _rig.ArrayFailure = null;
        _rig.Publish("b:1", 2).Matched.Should().Be(1);

        EventsOf(a).Should().BeEmpty();
        EventsOf(b).Should().Equal(2);
        _rig.Router.Published.Should().Be(1);
    }

    [Fact]
    public void LockedWalk_LeftBeforeItsEnd_LeavesNothingForTheNextRoute()
    {
        SubscriberChannel<int> a = _rig.Join("a:#"), b = _rig.Join("b");
        lock (_rig.Table.Gate)
        {
            foreach (SubscriberGroup first in _rig.Table.LockedWalk("a"))
            {
                first.Should().BeSameAs(a.Group);
                break;
            }
        }

        _rig.MembersOf("b").Should().Equal(b);
    }

    [Fact]
    public void Match_ThrowsHalfWay_LeavesNothingForTheNextTopic()
    {
        PatternTrie trie = new();
        trie.Add(TopicPattern.Parse("a:#"), _rig.Create<int>("a:#").CreateGroup());
        SubscriberGroup b = _rig.Create<int>("b:#").CreateGroup();
        trie.Add(TopicPattern.Parse("b:#"), b);

        FluentActions.Invoking(() => trie.Match("a:1", null!)).Should().Throw<NullReferenceException>();
        RouteBuilder builder = new(length => new SubscriberGroup[length]);
        trie.Match("b", builder);

        builder.ToArray().Should().Equal(b);
    }

    [Fact]
    public void Join_ThrowsHalfWay_DoesNotTakePlace()
    {
        SubscriberChannel<int> stays = _rig.Join("a:*", "b"), half = _rig.Create<int>("a:*", "a:b", "new:*", "b", "new", "never");
        half.Profile.Patterns[5] = null!;

        FluentActions.Invoking(() => _rig.Registry.Join(half)).Should().Throw<NullReferenceException>();

        half.IsJoined.Should().BeFalse();
        _rig.Registry.Live().Should().Equal(stays);
        EventBusStatistics statistics = _rig.Registry.Statistics();
        (statistics.Subscriptions, statistics.Topics).Should().Be((1, 1));
        foreach (string topic in (string[])["a:b", "new:1", "b", "new", "never"])
            _rig.Publish(topic, 1).Matched.Should().Be(topic is "a:b" or "b" ? 1 : 0, topic);
        half.Count.Should().Be(0);
        _rig.Registry.Leave(half);
        _rig.Registry.Live().Should().Equal(stays);

        half.Profile.Patterns[5] = TopicPattern.Parse("never");
        _rig.Registry.Join(half);
        _rig.Publish("never", 1).Matched.Should().Be(1);
        _rig.Publish("a:b", 1).Matched.Should().Be(2);
    }

    private static List<TEvent> EventsOf<TEvent>(SubscriberChannel<TEvent> channel)
        where TEvent : notnull
    {
        List<TEvent> events = [];
        while (channel.TryRead(out Envelope<TEvent> envelope))
            events.Add(envelope.Event);
        return events;
    }
}
