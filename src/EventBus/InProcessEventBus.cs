using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using EventBus.Delivery;
using EventBus.Diagnostics;
using EventBus.Handling;
using EventBus.History;
using EventBus.Routing;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>The bus of one process. For use without a container; with one, <c>AddEventBus()</c> registers it.</summary>
/// <remarks>
/// All members are safe to use from any number of threads. Disposing ends every subscription: readers can finish what is queued,
/// later publishes do nothing and return <c>default</c>.
/// </remarks>
public sealed class InProcessEventBus : IEventBus, IAsyncDisposable, IDisposable
{
    private static readonly string ProcessName = $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid():N}"[..^24];

    /// <summary>For what may never be full: above the range that users are held to.</summary>
    private static readonly SubscriptionOptions Unbounded = new() { Capacity = int.MaxValue };
    private readonly SubscriptionOptions _defaults;
    private readonly TopicRegistry _registry;
    private readonly HistoryStore _history;
    private readonly EventRouter _router;
    private readonly TopicStreams _streams;
    private readonly ChannelWatcher _watcher;
    private readonly BusInspector _inspector;
    private long _lastId;

    /// <summary>Creates a bus.</summary>
    /// <param name="options">How it behaves; null: the defaults.</param>
    /// <param name="loggerFactory">Where it logs to; null: nowhere.</param>
    /// <param name="timeProvider">What it takes all time from; null: the system's.</param>
    /// <param name="meterFactory">What makes its meter; null: the bus itself.</param>
    /// <exception cref="ArgumentException">An option is out of its range; the message names all that are.</exception>
    public InProcessEventBus(
        EventBusOptions? options = null,
        ILoggerFactory? loggerFactory = null,
        TimeProvider? timeProvider = null,
        IMeterFactory? meterFactory = null)
    {
        options ??= new EventBusOptions();
        options.Validate(nameof(options));
        NodeName = options.NodeName ?? ProcessName;
        _defaults = options.Subscription.Copy();
        ILogger logger = GuardedLogger.From(loggerFactory);
        TimeProvider = GuardedTimeProvider.From(timeProvider);
        Activity = new ActivityMonitor();
        BusTelemetry telemetry = new(meterFactory);
        EventClock clock = new(TimeProvider);
        _history = new HistoryStore(options.History, clock.UtcMicroseconds, TimeProvider);
        RouteTable routes = new(_history);
        _registry = new TopicRegistry(options.MaxSubscriptions, routes);
        _router = new EventRouter(_registry, routes, _history, clock, telemetry, TimeProvider, logger);
        _streams = new TopicStreams(_registry, _history, clock);
        _watcher = new ChannelWatcher(_registry, _router, telemetry, TimeProvider, logger);
        _inspector = new BusInspector(_registry, _history, clock, _router, _watcher);
        _inspector.Observe(telemetry);
        WriteBehindTelemetry = new WriteBehindTelemetry(telemetry.Meter, Activity);
    }

    /// <inheritdoc/>
    public string NodeName { get; }

    /// <summary>What the container gives to handlers; null without one.</summary>
    internal AttemptScopes? Scopes { get; init; }

    /// <summary>What handlers and write-behind are doing.</summary>
    internal ActivityMonitor Activity { get; }

    /// <summary>The metrics of the write-behinds that broadcast by this bus.</summary>
    internal WriteBehindTelemetry WriteBehindTelemetry { get; }

    /// <summary>What the bus takes all time from.</summary>
    internal TimeProvider TimeProvider { get; }

    /// <inheritdoc/>
    public PublishResult Publish<TEvent>(string topic, TEvent @event, Subscription? except = null)
        where TEvent : notnull => _router.Publish(topic, @event, except?.Channel);

    /// <inheritdoc/>
    public ValueTask<PublishResult> PublishAsync<TEvent>(
        string topic, TEvent @event, Subscription? except = null, CancellationToken cancellationToken = default)
        where TEvent : notnull => _router.PublishAsync(topic, @event, except?.Channel, cancellationToken);

    /// <inheritdoc/>
    public Subscription<TEvent> Subscribe<TEvent>(
        string pattern,
        SubscriptionOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return Subscribe<TEvent>([pattern], options, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc/>
    public Subscription<TEvent> Subscribe<TEvent>(
        IReadOnlyCollection<string> patterns,
        SubscriptionOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        if (options is HandlerOptions)
        {
            throw new ArgumentException(
                $"{nameof(HandlerOptions)} were given to {nameof(Subscribe)}, which runs no handler: half of them would be ignored. Use " +
                $"{nameof(Handle)}, or {nameof(SubscriptionOptions)}.",
                nameof(options));
        }

        return Subscribe<TEvent>(patterns, callerFile, callerLine, options?.Copy() ?? _defaults, cancellationToken);
    }

    /// <inheritdoc/>
    public HandlerSubscription Handle<TEvent>(
        string pattern,
        Func<Envelope<TEvent>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return Handle([pattern], handler, options, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc/>
    public HandlerSubscription Handle<TEvent>(
        IReadOnlyCollection<string> patterns,
        Func<Envelope<TEvent>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Handle(patterns, HandlerCall<TEvent>.ForEach(handler), options, callerFile, callerLine, cancellationToken);
    }

    /// <inheritdoc/>
    public HandlerSubscription HandleBatch<TEvent>(
        string pattern,
        Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return HandleBatch([pattern], handler, options, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc/>
    public HandlerSubscription HandleBatch<TEvent>(
        IReadOnlyCollection<string> patterns,
        Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Handle(patterns, HandlerCall<TEvent>.ForBatch(handler), options, callerFile, callerLine, cancellationToken);
    }

    /// <inheritdoc/>
    public bool HasSubscribers(string topic) => _inspector.HasSubscribers(topic);

    /// <inheritdoc/>
    public bool Complete(string topic) => _streams.Complete(topic);

    /// <inheritdoc/>
    public bool Forget(string topic) => _streams.Forget(topic);

    /// <inheritdoc/>
    public IReadOnlyList<Envelope<TEvent>> GetHistory<TEvent>(string topic)
        where TEvent : notnull => _streams.GetHistory<TEvent>(TopicPattern.Parse(topic));

    /// <inheritdoc/>
    public IReadOnlyList<SubscriptionInfo> GetSubscriptions(string? topic = null) => _inspector.GetSubscriptions(topic);

    /// <inheritdoc/>
    public EventBusStatistics GetStatistics() => _inspector.GetStatistics();

    /// <summary>
    /// Ends every subscription without waiting: readers can finish what is queued, handlers are stopped and what they had queued is
    /// discarded. Doing it twice is nothing.
    /// </summary>
    public void Dispose()
    {
        foreach (HandlerLoop loop in Activity.Loops())
            loop.Stop();
        foreach (SubscriberChannel channel in _registry.Close())
            channel.End(ChannelEnd.Completed);
        _history.Dispose();
        _watcher.Telemetry.Dispose();
    }

    /// <summary>
    /// Drains all handlers together, each within its <see cref="HandlerOptions.DrainTimeout"/>, then ends every other subscription.
    /// </summary>
    /// <returns>A task that ends when no handler runs any more; at once when a handler of this bus is the caller.</returns>
    /// <remarks>
    /// No retry is delayed and no batch waits for more any longer. Time-outs are kept on the bus's clock and in real time, whichever is over
    /// first. A call that has not ended 5 seconds after its token was cancelled is named in the log, and not waited for.
    /// </remarks>
    public ValueTask DisposeAsync()
    {
        HandlerLoop[] loops = Activity.Loops();
        Task disposal = DisposeAfterDrainAsync(loops);
        return Array.Exists(loops, l => l.IsCurrent) ? default : new ValueTask(disposal);
    }

    /// <summary>A subscription that is never full, however many events it gets: for recording in tests.</summary>
    internal Subscription<TEvent> SubscribeUnbounded<TEvent>(IReadOnlyCollection<string> patterns, string callerFile, int callerLine)
        where TEvent : notnull => Subscribe<TEvent>(patterns, callerFile, callerLine, Unbounded, CancellationToken.None);

    /// <summary>Handles events as one of the forms of handler does.</summary>
    internal HandlerSubscription Handle<TEvent>(
        IReadOnlyCollection<string> patterns,
        HandlerCall<TEvent> call,
        HandlerOptions? options,
        string callerFile,
        int callerLine,
        CancellationToken cancellationToken)
        where TEvent : notnull
    {
        options = options is null ? DefaultHandlerOptions() : (HandlerOptions)options.Copy();
        SubscriberChannel<TEvent> channel = CreateChannel<TEvent>(patterns, options, callerFile, callerLine, call.Name);
        HandlerLoop<TEvent> loop = HandlerLoop<TEvent>.Create(Activity, channel, call with { Scopes = Scopes }, options);
        HandlerSubscription subscription = new(channel, loop);
        loop.Announce();
        try
        {
            Start(channel, options, subscription, cancellationToken);
        }
        catch
        {
            loop.Withdraw();
            throw;
        }

        loop.Start();
        return subscription;
    }

    /// <summary>Handler options that start from the bus's default subscription options.</summary>
    internal HandlerOptions DefaultHandlerOptions() => new()
    {
        Capacity = _defaults.Capacity,
        Overflow = _defaults.Overflow,
        WaitTimeout = _defaults.WaitTimeout,
        Replay = _defaults.Replay,
        Name = _defaults.Name,
    };

    /// <summary>Publishes in the trace of whoever handed the event over to a write-behind.</summary>
    internal void PublishFor<TEvent>(string topic, TEvent @event, in ActivityContext publisher)
        where TEvent : notnull => _router.PublishFor(topic, in @event, publisher);

    /// <summary>Counts and tells that the store of a write-behind refused an event for good.</summary>
    internal void StoreFailed(string store, in Envelope<object> refused, int attempts, Exception exception) =>
        _watcher.StoreFailed(store, refused, attempts, exception);

    private async Task DisposeAfterDrainAsync(HandlerLoop[] loops)
    {
        await Task.WhenAll(loops.Select(l => l.DrainAndStopAsync())).ConfigureAwait(false);
        Dispose();
    }

    private Subscription<TEvent> Subscribe<TEvent>(
        IReadOnlyCollection<string> patterns, string callerFile, int callerLine, SubscriptionOptions options, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        SubscriberChannel<TEvent> channel = CreateChannel<TEvent>(patterns, options, callerFile, callerLine);
        Subscription<TEvent> subscription = new(channel);
        Start(channel, options, subscription, cancellationToken);
        return subscription;
    }

    private SubscriberChannel<TEvent> CreateChannel<TEvent>(
        IReadOnlyCollection<string> patterns, SubscriptionOptions options, string callerFile, int callerLine, string? handler = null)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(patterns);
        if (patterns.Count == 0)
            throw new ArgumentException("No pattern was given; a subscription listens to at least one.", nameof(patterns));

        // Who subscribes like the one before shares what there is to know about both.
        string? key = SubscriberProfile.KeyOf(patterns);
        SubscriberProfile? latest = key is null ? null : _registry.LatestProfile(key, typeof(TEvent));
        TopicPattern[] parsed = latest is not null ? latest.Patterns
            : patterns.Count == 1 ? [TopicPattern.Parse(patterns.First())]
            : [.. patterns.Distinct(StringComparer.Ordinal).Select(TopicPattern.Parse)];

        // The bus's own were checked with its options; joining should cost little.
        if (options != _defaults && options != Unbounded)
            options.Validate(nameof(options));
        SubscriberProfile profile = latest?.Fits(options, callerFile, callerLine, handler) == true
            ? latest
            : new SubscriberProfile(_watcher, parsed, typeof(TEvent), options, callerFile, callerLine, handler);
        return new SubscriberChannel<TEvent>(profile, Interlocked.Increment(ref _lastId), TimeProvider.GetUtcNow());
    }

    private void Start<TEvent>(
        SubscriberChannel<TEvent> channel, SubscriptionOptions options, Subscription subscription, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        try
        {
            ObjectDisposedException.ThrowIf(_registry.IsClosed, this);

            // A token that is cancelled already makes a subscription that has ended, not an error.
            if (cancellationToken.IsCancellationRequested)
                channel.End(ChannelEnd.Completed);
            else
                _streams.Join(channel, options.Replay);
            channel.EndBy(cancellationToken);

            // A handler may have been stopped, with all others, before it joined.
            if (!channel.IsOpen)
                _registry.Leave(channel);
        }
        catch
        {
            // Nobody gets it, so its finalizer has nothing to warn about.
            subscription.Dispose();
            throw;
        }
    }
}
