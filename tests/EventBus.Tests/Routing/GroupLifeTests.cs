using EventBus.Delivery;
using EventBus.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Routing;

/// <summary>Groups that empty, and come again under the same patterns, in whatever order the registry is told of ends.</summary>
public sealed class GroupLifeTests : IDisposable
{
    private readonly RoutingRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData("t")]
    [InlineData("*")]
    [InlineData("t", "*")]
    public void Forgotten_BeforeItIsTakenOutOfItsRoutes_HarmsNoGroupThatComesAgain(params string[] patterns)
    {
        SubscriberChannel<int> old = Create(patterns);
        _rig.Registry.Join(old);
        _rig.Publish("t", 1).Matched.Should().Be(1);
        old.End(ChannelEnd.Completed).Should().BeTrue();
        old.TryRead(out _).Should().BeTrue();

        // Its reader tells first that it has finished, then who ended it that it has ended.
        _rig.Registry.Forget(old);
        SubscriberChannel<int> next = _rig.Join(patterns);
        next.Group.Should().NotBeSameAs(old.Group);
        _rig.Publish("t", 2).Matched.Should().Be(1);
        _rig.Registry.Leave(old);
        _rig.Publish("t", 3).Matched.Should().Be(1);

        _rig.MembersOf("t").Should().Equal(next);
        SubscriberChannel<int> another = _rig.Join(patterns);
        another.Group.Should().BeSameAs(next.Group);
        EventBusStatistics statistics = _rig.Registry.Statistics();
        (statistics.Subscriptions, statistics.Delivered, statistics.Queued).Should().Be((2, 1, 2));
        RoutingRig.Leave(next);
        RoutingRig.Leave(another);
        statistics = _rig.Registry.Statistics();
        (statistics.Subscriptions, statistics.Topics, statistics.Discarded, statistics.Queued).Should().Be((0, 0, 2, 0));
        _rig.MembersOf("t").Should().BeEmpty();
    }

    [Fact]
    public void Unread_GroupStaysForThoseThatComeAgain_AndCountsWhatIsQueued()
    {
        SubscriberChannel<int> old = _rig.Join("t");
        _rig.Publish("t", 1);
        old.End(ChannelEnd.Completed);
        _rig.MembersOf("t").Should().BeEmpty();
        _rig.Publish("t", 2).Matched.Should().Be(0);

        SubscriberChannel<int> next = _rig.Join("t");
        next.Group.Should().BeSameAs(old.Group);
        _rig.Publish("t", 3).Matched.Should().Be(1);

        _rig.Registry.Statistics().Queued.Should().Be(2);
        old.TryRead(out Envelope<int> first).Should().BeTrue();
        next.TryRead(out Envelope<int> last).Should().BeTrue();
        (first.Event, last.Event, last.Missed).Should().Be((1, 3, 0));
        old.TryRead(out _).Should().BeFalse();
    }

    [Fact]
    public void EndedBeforeItJoins_LeavesNothing()
    {
        SubscriberChannel<int> channel = _rig.Create<int>("t");
        channel.End(ChannelEnd.Completed);

        _rig.Registry.Join(channel);

        channel.Group.Should().BeNull();
        _rig.Publish("t", 1).Matched.Should().Be(0);
        EventBusStatistics statistics = _rig.Registry.Statistics();
        (statistics.Subscriptions, statistics.Topics).Should().Be((0, 0));
    }

    private static SubscriberChannel<int> Create(string[] patterns) => new(
        new SubscriberProfile(new SilentOwner(), Array.ConvertAll(patterns, TopicPattern.Parse), typeof(int), new SubscriptionOptions(), "", 0),
        id: 99,
        createdAt: default);

    /// <summary>Tells nobody, so that a test can.</summary>
    private sealed class SilentOwner : IChannelOwner
    {
        public TimeProvider TimeProvider => TimeProvider.System;

        public BusTelemetry Telemetry { get; } = new(factory: null);

        public ILogger Logger => Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance;

        public void Ended(SubscriberChannel channel)
        {
        }

        public void Finished(SubscriberChannel channel)
        {
        }

        public void Abandoned(SubscriberChannel channel)
        {
        }

        public void ObserverFailed(SubscriberChannel channel, Exception exception)
        {
        }

        public void Lost(in Loss loss)
        {
        }

        public void HandlerFailed(BusEvent.HandlerFailed failure)
        {
        }
    }
}
