using System.Diagnostics;
using System.Diagnostics.Metrics;
using EventBus.Delivery;
using EventBus.Diagnostics;
using EventBus.History;
using Microsoft.Extensions.Logging;

namespace EventBus.Routing;

/// <summary>What the bus does: takes an event from its publisher to every channel it is for.</summary>
/// <remarks>
/// Locks, outermost first: the history's gate, the registry's, a channel's. User code runs under none of them: what a fan-out
/// has to tell (readers to wake, losses to report) waits in <see cref="FanOut"/> until all are free.
/// </remarks>
internal sealed class EventRouter : IChannelOwner
{
    private readonly ILogger _logger;
    private readonly EventClock _clock;
    private readonly TopicRegistry _registry;
    private readonly HistoryStore _history;
    private readonly StripedCounter _published = new();
    private long _refused;
    private long _handlerFailures;
    private volatile bool _isClosed;

    public EventRouter(EventBusOptions options, ILogger logger, TimeProvider timeProvider, IMeterFactory? meterFactory)
    {
        _logger = logger;
        TimeProvider = timeProvider;
        _clock = new EventClock(timeProvider);
        long startMicroseconds = (_clock.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;
        _history = new HistoryStore(options.History, startMicroseconds);
        _registry = new TopicRegistry(options.MaxSubscriptions, _history);
        Telemetry = new BusTelemetry(meterFactory);
        Telemetry.Observe(ObserveSubscriptions, ObserveQueueDepth);
    }

    public TimeProvider TimeProvider { get; }

    public BusTelemetry Telemetry { get; }

    public ILogger Logger => _logger;

    public bool IsClosed => _isClosed;

    /// <summary>Publishes without waiting.</summary>
    public PublishResult Publish<TEvent>(string topic, TEvent @event, SubscriberChannel? except)
        where TEvent : notnull
    {
        if (!TryBegin(topic, @event, out TopicRoute? route))
            return default;
        FanOut fanOut = new(mayWait: false, Telemetry.CountsLosses);
        Send(route, @event, except, ref fanOut);
        return new PublishResult(fanOut.Matched, fanOut.Dropped);
    }

    /// <summary>Publishes, and waits for subscriptions that are full and want to be waited for.</summary>
    public ValueTask<PublishResult> PublishAsync<TEvent>(
        string topic, TEvent @event, SubscriberChannel? except, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        if (!TryBegin(topic, @event, out TopicRoute? route))
            return default;
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<PublishResult>(cancellationToken);
        FanOut fanOut = new(mayWait: true, Telemetry.CountsLosses);
        Send(route, @event, except, ref fanOut);
        PublishResult result = new(fanOut.Matched, fanOut.Dropped);
        return fanOut.Pending is { } pending ? new(pending.Start(result, TimeProvider, cancellationToken)) : new(result);
    }

    /// <summary>Publishes the bus's own events, which are not counted.</summary>
    public void PublishOwn<TEvent>(Topic<TEvent> topic, TEvent @event)
        where TEvent : BusEvent
    {
        if (_isClosed)
            return;
        TopicRoute route = _registry.GetRoute(topic.Name);
        FanOut fanOut = new(mayWait: false, Telemetry.CountsLosses);
        Send(route, @event, except: null, ref fanOut);
    }

    /// <summary>Lets a channel in, with the history it asked for.</summary>
    public void Join<TEvent>(SubscriberChannel<TEvent> channel, Replay replay)
        where TEvent : notnull
    {
        string? onlyTopic = channel.Profile.OnlyTopic;
        int rule = onlyTopic is null ? -1 : _history.RuleOf(onlyTopic);
        if (replay.Kind == ReplayKind.None && rule < 0)
        {
            _registry.Join(channel);
            return;
        }

        // Under the gate: an event is either in the replay or comes live, and a topic either has ended or is yet to end.
        ReplayPlan? plan = null;
        bool isCompleted;
        lock (_history.Gate)
        {
            isCompleted = rule >= 0 && _history.IsCompleted(rule, onlyTopic!);
            if (isCompleted)
                _registry.JoinEnded(channel);
            else
                _registry.Join(channel);
            if (replay.Kind != ReplayKind.None)
                plan = _history.Plan(replay, channel.Profile.Patterns, _clock.UtcTicks);
        }

        // Nobody can read before the subscription is handed out, so the replay is worked out without a lock.
        if (plan is { } taken)
        {
            channel.Attach(new HistoryCursor<TEvent>(taken));
            channel.ReplayTruncated = taken.IsTruncated;
        }

        if (isCompleted)
            channel.End(ChannelEnd.Completed);
    }

    public bool HasSubscribers(string topic) => !_isClosed && GetCheckedRoute(topic).Members.Length > 0;

    public bool Complete(string topic)
    {
        TopicRules.ThrowIfNotPublishable(topic);
        if (_isClosed)
            return false;
        int rule = _history.RuleOf(topic);
        SubscriberChannel[] ending;
        if (rule < 0)
        {
            ending = EndingWith(topic);
        }
        else
        {
            lock (_history.Gate)
            {
                ending = EndingWith(topic);
                if (!_history.TryComplete(rule, topic, ending.Length > 0))
                    return false;
            }
        }

        bool ended = rule >= 0;
        foreach (SubscriberChannel channel in ending)
            ended |= channel.End(ChannelEnd.Completed);
        return ended;
    }

    public bool Forget(string topic)
    {
        TopicRules.ThrowIfNotPublishable(topic);
        int rule = _history.RuleOf(topic);
        if (rule < 0)
            return false;
        lock (_history.Gate)
            return _history.Forget(rule, topic);
    }

    public IReadOnlyList<Envelope<TEvent>> GetHistory<TEvent>(string topic)
        where TEvent : notnull
    {
        TopicRules.ThrowIfNoTopic(topic);
        int rule = _history.RuleOf(topic);
        if (rule < 0)
            return [];
        HistoryCut? cut;
        lock (_history.Gate)
            cut = _history.Cut(rule, topic, _clock.UtcTicks);
        if (cut is not { } taken)
            return [];
        HistoryCursor<TEvent> cursor = new(new ReplayPlan([taken], Replay.All, IsTruncated: false));
        Envelope<TEvent>[] history = new Envelope<TEvent>[cursor.Remaining];
        for (int i = 0; i < history.Length; i++)
        {
            cursor.Read(out Slot<TEvent> slot);
            history[i] = slot.ToEnvelope(missed: 0);
        }

        return history;
    }

    public IReadOnlyList<SubscriptionInfo> GetSubscriptions(string? topic)
    {
        IEnumerable<SubscriberChannel> channels = topic is null ? _registry.Live() : GetCheckedRoute(topic).Members;
        return [.. channels.Select(InfoOf).OrderBy(i => i.Id)];
    }

    public EventBusStatistics GetStatistics()
    {
        (int topics, long events) history;
        lock (_history.Gate)
            history = _history.Measure(_clock.UtcTicks);
        return _registry.Statistics() with
        {
            Published = _published.Sum(),
            HandlerFailures = Interlocked.Read(ref _handlerFailures),
            RefusedAfterCompletion = Interlocked.Read(ref _refused),
            HistoryTopics = history.topics,
            HistoryEvents = history.events,
        };
    }

    /// <summary>Lets nobody publish or subscribe any more.</summary>
    /// <returns>Who still listens, for the caller to end.</returns>
    public List<SubscriberChannel> Close()
    {
        _isClosed = true;
        List<SubscriberChannel> live = _registry.Close();
        lock (_history.Gate)
            _history.Clear();
        Telemetry.Dispose();
        return live;
    }

    void IChannelOwner.Ended(SubscriberChannel channel) => _registry.Leave(channel);

    void IChannelOwner.Finished(SubscriberChannel channel) => _registry.Forget(channel);

    void IChannelOwner.Abandoned(SubscriberChannel channel)
    {
        // A finalizer must not wait for locks, nor run a logger.
        ThreadPool.UnsafeQueueUserWorkItem(
            static state =>
            {
                (EventRouter router, SubscriberChannel channel) = state;
                if (channel.End(ChannelEnd.Left))
                {
                    Log.SubscriptionAbandoned(
                        router._logger, channel.Profile.ToString(), channel.Profile.CallerFile, channel.Profile.CallerLine);
                }
            },
            (this, channel),
            preferLocal: false);
    }

    void IChannelOwner.ObserverFailed(SubscriberChannel channel, Exception exception) =>
        Log.ObserverFailed(_logger, exception, channel.Profile.ToString());

    void IChannelOwner.Lost(in Loss loss)
    {
        SubscriberProfile profile = loss.Channel.Profile;
        Telemetry.Dropped(profile.Tags, loss.Count);
        if (!loss.BeginsEpisode || loss.Topic.IsOwn)
            return;
        Log.SubscriberLagging(_logger, profile.Id, profile.ToString(), profile.Capacity, profile.Overflow, loss.Dropped);
        PublishOwn(
            BusEvent.LaggingTopic,
            new BusEvent.SubscriberLagging(
                profile.Id, profile.Name, profile.PatternNames(), loss.Topic.Topic, profile.Overflow, profile.Capacity, loss.Dropped));
    }

    void IChannelOwner.HandlerFailed(
        SubscriberChannel channel, string handler, EventOrigin origin, Type eventType, int eventCount, int attempts, Exception exception)
    {
        SubscriberProfile profile = channel.Profile;
        Log.HandlerFailed(_logger, exception, handler, profile.ToString(), eventCount, eventType.ToString(), origin.Topic, attempts);

        // A handler of the bus's own events that fails is only logged, or it might go on for ever.
        if (origin.IsOwn)
            return;
        Interlocked.Increment(ref _handlerFailures);
        PublishOwn(
            BusEvent.FailuresTopic,
            new BusEvent.HandlerFailed(
                profile.Id, profile.Name, profile.PatternNames(), handler, origin.Topic, eventType, eventCount, attempts, exception));
    }

    private static SubscriptionInfo InfoOf(SubscriberChannel channel)
    {
        SubscriberProfile profile = channel.Profile;
        ChannelSnapshot now = channel.Snapshot();
        return new SubscriptionInfo(
            profile.Id, profile.Name, profile.PatternNames(), profile.EventType, profile.Capacity, now.Count, now.Counts.Delivered,
            now.Counts.Dropped, profile.CreatedAt);
    }

    /// <summary>The channels that end with a topic.</summary>
    private SubscriberChannel[] EndingWith(string topic) =>
        Array.FindAll(_registry.GetRoute(topic).Members, c => c.Profile.OnlyTopic is not null);

    private TopicRoute GetCheckedRoute(string topic)
    {
        TopicRules.ThrowIfNoTopic(topic);
        return _registry.GetRoute(topic);
    }

    private bool TryBegin<TEvent>(string topic, TEvent @event, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TopicRoute? route)
    {
        ArgumentNullException.ThrowIfNull(topic);
        if (@event is null)
            throw new ArgumentNullException(nameof(@event));

        // A route is only made for a valid topic, so a known one need not be checked again, but for the bus's own.
        if (!_registry.TryGetRoute(topic, out route))
        {
            TopicRules.ThrowIfNotPublishable(topic);
            if (_isClosed)
                return false;
            route = _registry.GetRoute(topic);
        }
        else if (route.Origin.IsOwn)
        {
            TopicRules.ThrowIfNotPublishable(topic);
        }

        return !_isClosed;
    }

    private void Send<TEvent>(TopicRoute route, TEvent @event, SubscriberChannel? except, ref FanOut fanOut)
        where TEvent : notnull
    {
        using Activity? span = route.Origin.IsOwn ? null : BusTelemetry.StartPublish();
        EventOrigin origin = span is null ? route.Origin : new TracedOrigin(route.Origin, span.Context);
        if (!route.KeepsHistory)
        {
            fanOut.Stamp = new Stamp(origin, 0, _clock.UtcTicks);
            Offer(route.Members, @event, boxed: null, except, ref fanOut);
        }
        else if (!TrySendOrdered(route, @event, except, origin, ref fanOut))
        {
            Interlocked.Increment(ref _refused);
            return;
        }

        if (!origin.IsOwn)
        {
            _published.Increment(origin.Topic);
            Telemetry.Sent();
        }

        fanOut.Settle();
    }

    /// <summary>Sends on a topic with history: one lock around number, record and hand-over.</summary>
    /// <returns>False if the topic has been completed.</returns>
    private bool TrySendOrdered<TEvent>(TopicRoute known, TEvent @event, SubscriberChannel? except, EventOrigin origin, ref FanOut fanOut)
        where TEvent : notnull
    {
        object boxed = @event;
        long now = _clock.UtcTicks;
        lock (_history.Gate)
        {
            // The route that was looked up may be older than a subscription that took its replay since.
            TopicRoute route = _registry.GetRoute(known.Origin.Topic);
            if (!_history.TryAppend(route.HistoryRule, boxed, origin, now, out long sequence))
                return false;
            fanOut.Stamp = new Stamp(origin, sequence, now);
            Offer(route.Members, @event, boxed, except, ref fanOut);
            return true;
        }
    }

    private static void Offer<TEvent>(SubscriberChannel[] members, TEvent @event, object? boxed, SubscriberChannel? except, ref FanOut fanOut)
        where TEvent : notnull
    {
        foreach (SubscriberChannel channel in members)
        {
            if (channel == except)
                continue;
            if (!typeof(TEvent).IsValueType)
                channel.OfferObject(@event, ref fanOut);
            else if (channel is SubscriberChannel<TEvent> same)
                same.Offer(@event, ref fanOut);
            else if (!channel.StoresValues)
                channel.OfferObject(boxed ??= @event, ref fanOut);
        }
    }

    private IEnumerable<Measurement<int>> ObserveSubscriptions() => ObserveByTags(_ => 1);

    private IEnumerable<Measurement<int>> ObserveQueueDepth() => ObserveByTags(c => c.Count);

    /// <summary>One measurement for each set of tags, however many subscriptions share it.</summary>
    private IEnumerable<Measurement<int>> ObserveByTags(Func<SubscriberChannel, int> measure) =>
        _registry.Live()
            .GroupBy(c => c.Profile.Tags)
            .Select(g => new Measurement<int>(g.Sum(measure), g.Key.ToTagList()));
}
