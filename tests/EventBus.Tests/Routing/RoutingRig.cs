using EventBus.Delivery;
using EventBus.Diagnostics;
using EventBus.History;
using EventBus.Routing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus.Tests.Routing;

/// <summary>A bus's routing without the bus, so that a test can look at its routes and take its memory away.</summary>
internal sealed class RoutingRig : IDisposable
{
    private readonly BusTelemetry _telemetry = new(factory: null);
    private readonly ChannelWatcher _watcher;
    private long _lastId;

    public RoutingRig(params HistoryRule[] rules)
    {
        HistoryStore history = new(rules, 1, TimeProvider.System);
        Table = new RouteTable(history, NewArray);
        Registry = new TopicRegistry(1000, Table);
        Router = new EventRouter(
            Registry, Table, history, new EventClock(TimeProvider.System), _telemetry, TimeProvider.System, NullLogger.Instance);
        _watcher = new ChannelWatcher(Registry, Router, _telemetry, TimeProvider.System, NullLogger.Instance);
    }

    public RouteTable Table { get; }

    public TopicRegistry Registry { get; }

    public EventRouter Router { get; }

    /// <summary>What asking for an array throws; null: nothing.</summary>
    public Exception? ArrayFailure { get; set; }

    /// <summary>How many arrays there still is memory for before <see cref="ArrayFailure"/>.</summary>
    public int ArraysLeft { get; set; }

    public void Dispose() => _telemetry.Dispose();

    public SubscriberChannel<TEvent> Create<TEvent>(params string[] patterns)
        where TEvent : notnull
    {
        SubscriberProfile profile = new(_watcher, Array.ConvertAll(patterns, TopicPattern.Parse), typeof(TEvent), new SubscriptionOptions(), "", 0);
        return new SubscriberChannel<TEvent>(profile, ++_lastId, default);
    }

    public SubscriberChannel<int> Join(params string[] patterns)
    {
        SubscriberChannel<int> channel = Create<int>(patterns);
        Registry.Join(channel);
        return channel;
    }

    public PublishResult Publish(string topic, int @event, SubscriberChannel? except = null) => Router.Publish(topic, in @event, except);

    /// <summary>Those whom a topic's route leads to.</summary>
    public List<SubscriberChannel> MembersOf(string topic) => MembersOf(Table.Get(topic));

    /// <inheritdoc cref="MembersOf(string)"/>
    public static List<SubscriberChannel> MembersOf(TopicRoute route)
    {
        List<SubscriberChannel> members = [];
        foreach (SubscriberGroup group in route.Groups)
            group.CopyTo(members, ended: false);
        return members;
    }

    /// <summary>Ends a channel, as its subscription does.</summary>
    public static void Leave(SubscriberChannel channel) => channel.End(ChannelEnd.Left);

    private SubscriberGroup[] NewArray(int length) =>
        ArrayFailure is null || ArraysLeft-- > 0 ? new SubscriberGroup[length] : throw ArrayFailure;
}
