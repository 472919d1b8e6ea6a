using System.Diagnostics.Metrics;
using EventBus.Delivery;
using EventBus.Diagnostics;
using EventBus.History;

namespace EventBus.Routing;

/// <summary>Looks inside: subscriptions, statistics, and the instruments that are read rather than written.</summary>
internal sealed class BusInspector
{
    private readonly TopicRegistry _registry;
    private readonly HistoryStore _history;
    private readonly EventClock _clock;
    private readonly EventRouter _router;
    private readonly ChannelWatcher _watcher;

    public BusInspector(TopicRegistry registry, HistoryStore history, EventClock clock, EventRouter router, ChannelWatcher watcher)
    {
        _registry = registry;
        _history = history;
        _clock = clock;
        _router = router;
        _watcher = watcher;
    }

    public bool HasSubscribers(string topic) => !_registry.IsClosed && Reached(topic).Length > 0;

    public IReadOnlyList<SubscriptionInfo> GetSubscriptions(string? topic)
    {
        List<SubscriberChannel> channels = topic is null ? _registry.Live() : [];
        foreach (SubscriberGroup group in topic is null ? [] : Reached(topic))
            group.CopyTo(channels, ended: false);
        return [.. channels.Select(InfoOf).OrderBy(i => i.Id)];
    }

    public EventBusStatistics GetStatistics()
    {
        (int topics, long events) = _history.Measure(_clock.UtcTicks);
        return _registry.Statistics() with
        {
            Published = _router.Published,
            Unmatched = _router.Unmatched,
            HandlerFailures = _watcher.HandlerFailures,
            RefusedAfterCompletion = _router.Refused,
            HistoryTopics = topics,
            HistoryEvents = events,
        };
    }

    /// <summary>Lets a meter read what there is; it does not keep a bus that nobody disposed.</summary>
    public void Observe(BusTelemetry telemetry)
    {
        WeakReference<BusInspector> weak = new(this);
        telemetry.Observe(() => Measure(weak, _ => 1), () => Measure(weak, c => c.Count));
    }

    private static SubscriptionInfo InfoOf(SubscriberChannel channel)
    {
        SubscriberProfile profile = channel.Profile;
        ChannelSnapshot now = channel.Snapshot();
        return new SubscriptionInfo(
            channel.Id, profile.Name, profile.PatternNames, profile.EventType, profile.Capacity, now.Count, now.Counts.Delivered,
            now.Counts.Dropped, channel.CreatedAt);
    }

    /// <summary>One measurement for each set of tags, however many subscriptions share it.</summary>
    private static IEnumerable<Measurement<int>> Measure(WeakReference<BusInspector> weak, Func<SubscriberChannel, int> measure) =>
        weak.TryGetTarget(out BusInspector? inspector)
            ? inspector._registry.Live()
                .GroupBy(c => c.Profile.Tags)
                .Select(g => new Measurement<int>(g.Sum(measure), g.Key.ToTagList()))
            : [];

    /// <summary>The groups a publish to a topic would reach: nobody, once it has been completed.</summary>
    private SubscriberGroup[] Reached(string topic)
    {
        TopicRules.ThrowIfNoTopic(topic);
        TopicRoute route = _registry.GetRoute(topic);
        if (route.KeepsHistory)
        {
            lock (_history.Gate)
            {
                if (_history.IsCompleted(route.HistoryRule, topic))
                    return [];
            }
        }

        return route.Groups;
    }
}
