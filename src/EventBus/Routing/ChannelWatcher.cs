using EventBus.Delivery;
using EventBus.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Routing;

/// <summary>Acts on what channels tell: takes them out of routes, and reports what went wrong in them.</summary>
/// <remarks>
/// Called by any thread with no lock held. Its only state is an interlocked count, and how much was logged of what load could repeat
/// without end.
/// </remarks>
internal sealed class ChannelWatcher : IChannelOwner
{
    private readonly TopicRegistry _registry;
    private readonly EventRouter _router;
    private readonly LogThrottle _laggingLog;
    private readonly LogThrottle _abandonedLog;
    private long _handlerFailures;

    public ChannelWatcher(TopicRegistry registry, EventRouter router, BusTelemetry telemetry, TimeProvider timeProvider, ILogger logger)
    {
        _registry = registry;
        _router = router;
        Logger = logger;
        _laggingLog = new LogThrottle(timeProvider, n => Log.SubscribersLaggingSuppressed(logger, n, LogThrottle.Interval));
        _abandonedLog = new LogThrottle(timeProvider, n => Log.SubscriptionsAbandonedSuppressed(logger, n, LogThrottle.Interval));
        Telemetry = telemetry;
        TimeProvider = timeProvider;
    }

    public TimeProvider TimeProvider { get; }

    public BusTelemetry Telemetry { get; }

    public ILogger Logger { get; }

    /// <summary>Events and batches that handlers gave up on, events that stores did, and handlers that ended by overflow.</summary>
    public long HandlerFailures => Interlocked.Read(ref _handlerFailures);

    public void Ended(SubscriberChannel channel) => _registry.Leave(channel);

    public void Finished(SubscriberChannel channel) => _registry.Forget(channel);

    public void Abandoned(SubscriberChannel channel)
    {
        // A finalizer must not wait for locks, nor run a logger.
        ThreadPool.UnsafeQueueUserWorkItem(
            static state =>
            {
                (ChannelWatcher watcher, SubscriberChannel channel) = state;
                if (channel.End(ChannelEnd.Left) && watcher._abandonedLog.TryPass())
                {
                    Log.SubscriptionAbandoned(
                        watcher.Logger, channel.Profile.ToString(), channel.Profile.CallerFile, channel.Profile.CallerLine);
                }
            },
            (this, channel),
            preferLocal: false);
    }

    public void ObserverFailed(SubscriberChannel channel, Exception exception) =>
        Log.ObserverFailed(Logger, exception, channel.Profile.ToString());

    public void Lost(in Loss loss)
    {
        SubscriberProfile profile = loss.Channel.Profile;
        Telemetry.Dropped(profile.Tags, loss.Count);
        if (!IsToBeReported(loss))
            return;
        if (Logger.IsEnabled(LogLevel.Warning) && _laggingLog.TryPass())
            Log.SubscriberLagging(Logger, loss.Channel.Id, profile.ToString(), profile.Capacity, profile.Overflow, loss.Dropped);

        _router.PublishOwn(BusEvent.LaggingTopic, loss, static loss =>
        {
            SubscriberProfile profile = loss.Channel.Profile;
            return new BusEvent.SubscriberLagging(
                loss.Channel.Id, profile.Name, profile.PatternNames, loss.Topic.Topic, profile.Overflow, profile.Capacity, loss.Dropped);
        });
    }

    public void HandlerFailed(BusEvent.HandlerFailed failure)
    {
        Interlocked.Increment(ref _handlerFailures);
        _router.PublishOwn(BusEvent.FailuresTopic, failure);
    }

    /// <summary>Whether a loss is one that subscribers of the bus's own topic are told of, and the log.</summary>
    private bool IsToBeReported(in Loss loss)
    {
        // To lose one of the bus's own events is no reason: what is held back waits for the next of a user's.
        ref LagReports reports = ref loss.Channel.LagReports;
        return (loss.BeginsEpisode || (reports.IsHoldingBack && !loss.Topic.IsOwn))
            && reports.TryPass(loss.BeginsEpisode, TimeProvider.GetUtcNow().UtcTicks);
    }

    /// <summary>The store of a write-behind refused an event for good, which has been logged.</summary>
    public void StoreFailed(string store, in Envelope<object> refused, int attempts, Exception exception) =>
        HandlerFailed(new BusEvent.HandlerFailed(
            SubscriptionId: 0, Name: null, Patterns: [], store, refused.Topic, refused.Event.GetType(), EventCount: 1, attempts, exception)
        {
            Events = [refused],
        });
}
