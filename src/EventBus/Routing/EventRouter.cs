using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using EventBus.Delivery;
using EventBus.Diagnostics;
using EventBus.History;
using Microsoft.Extensions.Logging;

namespace EventBus.Routing;

/// <summary>Takes an event from its publisher to every group it is for.</summary>
/// <remarks>
/// Locks, outermost first: the history's gate, the registry's, a group's, a channel's. User code runs under none of them: what a fan-out
/// has to tell (readers to wake, losses to report) waits in <see cref="FanOut"/> until all are free. All fields but the
/// interlocked count of refusals are set once.
/// </remarks>
internal sealed class EventRouter
{
    private readonly TopicRegistry _registry;
    private readonly RouteTable _routes;
    private readonly HistoryStore _history;
    private readonly EventClock _clock;
    private readonly BusTelemetry _telemetry;
    private readonly TimeProvider _timeProvider;
    private readonly UnheardTopics _unheard;

    /// <summary>Publishes that no group has counted.</summary>
    private readonly StripedCounter _published = new();
    private readonly StripedCounter _unmatched = new();
    private long _refused;

    public EventRouter(
        TopicRegistry registry,
        RouteTable routes,
        HistoryStore history,
        EventClock clock,
        BusTelemetry telemetry,
        TimeProvider timeProvider,
        ILogger logger)
    {
        _registry = registry;
        _routes = routes;
        _history = history;
        _clock = clock;
        _telemetry = telemetry;
        _timeProvider = timeProvider;
        _unheard = new UnheardTopics(logger);
    }

    /// <summary>Publishes that were accepted.</summary>
    public long Published => _published.Sum() + _registry.Published;

    /// <summary>Those of them that matched nobody.</summary>
    public long Unmatched => _unmatched.Sum();

    /// <summary>Publishes to topics that had been completed.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Publishes without waiting.</summary>
    public PublishResult Publish<TEvent>(string topic, in TEvent @event, SubscriberChannel? except)
        where TEvent : notnull
    {
        if (!TryBegin(topic, in @event, out TopicRoute? route))
            return default;
        FanOut fanOut = new(mayWait: false, _telemetry.CountsLosses);
        Send(route, in @event, except, ref fanOut);
        return new PublishResult(fanOut.Matched, fanOut.Dropped);
    }

    /// <summary>Publishes without waiting, in the trace of whoever handed the event over before.</summary>
    public void PublishFor<TEvent>(string topic, in TEvent @event, in ActivityContext publisher)
        where TEvent : notnull
    {
        if (!TryBegin(topic, in @event, out TopicRoute? route))
            return;
        FanOut fanOut = new(mayWait: false, _telemetry.CountsLosses);
        SendTraced(route, in @event, except: null, publisher, ref fanOut);
    }

    /// <summary>Publishes, and waits for subscriptions that are full and want to be waited for.</summary>
    public ValueTask<PublishResult> PublishAsync<TEvent>(
        string topic, in TEvent @event, SubscriberChannel? except, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        if (!TryBegin(topic, in @event, out TopicRoute? route))
            return default;
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<PublishResult>(cancellationToken);
        FanOut fanOut = new(mayWait: true, _telemetry.CountsLosses);
        try
        {
            Send(route, in @event, except, ref fanOut);
        }
        catch
        {
            // Interrupted between two offers: what waits for room already must not wait for ever.
            _ = fanOut.Pending?.Start(default, _timeProvider, cancellationToken);
            throw;
        }

        PublishResult result = new(fanOut.Matched, fanOut.Dropped);
        return fanOut.Pending is { } pending ? new(pending.Start(result, _timeProvider, cancellationToken)) : new(result);
    }

    /// <summary>Publishes one of the bus's own events, which are not counted. Never throws: it is told for somebody else's sake.</summary>
    public void PublishOwn<TEvent>(Topic<TEvent> topic, TEvent @event)
        where TEvent : BusEvent => PublishOwn(topic, @event, static e => e);

    /// <summary>The same with an event that is only made if somebody is to get it.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="from">What the event is made from.</param>
    /// <param name="create">Makes it.</param>
    public void PublishOwn<TEvent, TFrom>(Topic<TEvent> topic, in TFrom from, Func<TFrom, TEvent> create)
        where TEvent : BusEvent
    {
        if (_registry.IsClosed)
            return;
        try
        {
            TopicRoute route = _routes.GetOwn(topic.Name);
            if (route is { HasGroups: true, Groups: [], KeepsHistory: false })
                return;
            TEvent @event = create(from);
            FanOut fanOut = new(mayWait: false, _telemetry.CountsLosses);
            Send(route, in @event, except: null, ref fanOut);
        }
        catch (OutOfMemoryException)
        {
            // There is no memory to tell it.
        }
    }

    private bool TryBegin<TEvent>(string topic, in TEvent @event, [NotNullWhen(true)] out TopicRoute? route)
    {
        ArgumentNullException.ThrowIfNull(topic);

        // Asked for references only: without optimization the comparison boxes a value.
        if (!typeof(TEvent).IsValueType && @event is null)
            throw new ArgumentNullException(nameof(@event));

        // A route is only kept for a valid topic that is not the bus's own, so a known one need not be checked again.
        if (!_routes.TryGet(topic, out route))
        {
            TopicRules.ThrowIfNotPublishable(topic);
            if (_registry.IsClosed)
                return false;
            route = _routes.Get(topic);
        }

        return !_registry.IsClosed;
    }

    private void Send<TEvent>(TopicRoute route, in TEvent @event, SubscriberChannel? except, ref FanOut fanOut)
        where TEvent : notnull
    {
        // Apart, because what follows a publish's span has to be cleaned up, which costs those who have none.
        if (BusTelemetry.IsTraced && !route.Origin.IsOwn)
            SendTraced(route, in @event, except, parent: default, ref fanOut);
        else
            Send(route, in @event, except, route.Origin, ref fanOut);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SendTraced<TEvent>(
        TopicRoute route, in TEvent @event, SubscriberChannel? except, in ActivityContext parent, ref FanOut fanOut)
        where TEvent : notnull
    {
        using Span span = BusTelemetry.StartPublish(parent);
        EventOrigin origin = span.Context is { } publisher ? new TracedOrigin(route.Origin, publisher) : route.Origin;
        Send(route, in @event, except, origin, ref fanOut);
    }

    private void Send<TEvent>(TopicRoute route, in TEvent @event, SubscriberChannel? except, EventOrigin origin, ref FanOut fanOut)
        where TEvent : notnull
    {
        fanOut.Uncounted = origin.IsOwn ? 0 : 1;

        // Settled whatever happens: an interrupted thread may throw wherever it waits for a lock.
        try
        {
            if (!route.KeepsHistory)
            {
                fanOut.Stamp = new Stamp(origin, 0, _clock.UtcTicks);
                Offer(route, in @event, boxed: null, except, ref fanOut);
            }
            else if (!TrySendOrdered(route, in @event, except, origin, ref fanOut))
            {
                Interlocked.Increment(ref _refused);
                return;
            }

            if (fanOut.Uncounted != 0)
                _published.Increment(origin.Topic);
        }
        finally
        {
            fanOut.Settle();
        }

        // After all are woken: clocks and those who measure are plugged in, and may hang. Who is taken out of a group to be woken would hold up
        // those whom other publishers took out.
        if (route.KeepsHistory)
            _history.WatchAge(route.HistoryRule);
        if (origin.IsOwn)
            return;
        _telemetry.Sent();
        if (fanOut.Matched == 0)
            CountUnmatched<TEvent>(origin.Topic);
    }

    /// <summary>Counts a publish that matched nobody.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CountUnmatched<TEvent>(string topic)
    {
        _unmatched.Increment(topic);
        _telemetry.Unmatched();
        _unheard.Tell(topic, typeof(TEvent));
    }

    /// <summary>Sends on a topic with history: one lock around number, record and hand-over.</summary>
    /// <returns>False if the topic has been completed.</returns>
    private bool TrySendOrdered<TEvent>(TopicRoute known, in TEvent @event, SubscriberChannel? except, EventOrigin origin, ref FanOut fanOut)
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
            Offer(route, in @event, boxed, except, ref fanOut);
            return true;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Offer<TEvent>(TopicRoute route, in TEvent @event, object? boxed, SubscriberChannel? except, ref FanOut fanOut)
        where TEvent : notnull
    {
        if (route.HasGroups)
            Offer(route.Groups, in @event, boxed, except, ref fanOut);
        else
            OfferOneByOne(route.Origin.Topic, in @event, boxed ?? @event, except, ref fanOut);
    }

    /// <summary>Offers an event to groups that there was no memory to list.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void OfferOneByOne<TEvent>(string topic, in TEvent @event, object boxed, SubscriberChannel? except, ref FanOut fanOut)
        where TEvent : notnull
    {
        lock (_routes.Gate)
        {
            foreach (SubscriberGroup group in _routes.LockedWalk(topic))
                Offer(new ReadOnlySpan<SubscriberGroup>(in group), in @event, boxed, except, ref fanOut);
        }
    }

    private static void Offer<TEvent>(
        scoped ReadOnlySpan<SubscriberGroup> groups, in TEvent @event, object? boxed, SubscriberChannel? except, ref FanOut fanOut)
        where TEvent : notnull
    {
        foreach (SubscriberGroup group in groups)
        {
            if (!typeof(TEvent).IsValueType)
                group.OfferObject(@event, except, ref fanOut);
            else if (group is SubscriberGroup<TEvent> same)
                same.Offer(in @event, except, ref fanOut);
            else if (!group.StoresValues)
                OfferBoxed(group, in @event, ref boxed, except, ref fanOut);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void OfferBoxed<TEvent>(
        SubscriberGroup group, in TEvent @event, ref object? boxed, SubscriberChannel? except, ref FanOut fanOut)
        where TEvent : notnull
    {
        try
        {
            boxed ??= @event;
        }
        catch (OutOfMemoryException)
        {
            group.LoseOffered(except, ref fanOut);
            return;
        }

        group.OfferObject(boxed, except, ref fanOut);
    }
}
