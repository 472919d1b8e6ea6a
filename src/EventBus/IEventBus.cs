using System.Runtime.CompilerServices;

namespace EventBus;

/// <summary>The bus: publish, subscribe, handle, look inside. Safe to use from any number of threads.</summary>
/// <remarks>Not meant to be mocked: <see cref="InProcessEventBus"/> is fast and needs no set-up, so use the real one in tests.</remarks>
public interface IEventBus : IEventPublisher
{
    /// <summary>This node's name; unique per process unless <see cref="EventBusOptions.NodeName"/> says otherwise.</summary>
    string NodeName { get; }

    /// <summary>
    /// Starts listening. The subscription is live when this returns: an event published on the next line is delivered.
    /// </summary>
    /// <typeparam name="TEvent">
    /// Which events: those whose runtime type can be assigned to it. <c>object</c>: every event.
    /// </typeparam>
    /// <param name="pattern">A topic, or a pattern with wildcards; see <see cref="TopicPattern"/>.</param>
    /// <param name="options">The channel's behaviour; null: <see cref="EventBusOptions.Subscription"/>.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled; the reader can still finish what is queued.</param>
    /// <param name="callerFile">The caller's file, for the warning about a subscription that was never disposed.</param>
    /// <param name="callerLine">The caller's line.</param>
    /// <returns>The subscription. Dispose it to leave; one that becomes unreachable is reclaimed, with a warning.</returns>
    /// <exception cref="ArgumentException">The pattern or an option is not allowed, or the options are a handler's.</exception>
    /// <exception cref="InvalidOperationException"><see cref="EventBusOptions.MaxSubscriptions"/> are live already.</exception>
    /// <exception cref="ObjectDisposedException">The bus is disposed.</exception>
    Subscription<TEvent> Subscribe<TEvent>(
        string pattern,
        SubscriptionOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull;

    /// <summary>
    /// Starts listening to several patterns: one channel, one order, and an event that several of them match comes once.
    /// </summary>
    /// <inheritdoc cref="Subscribe{TEvent}(string, SubscriptionOptions?, CancellationToken, string, int)"/>
    /// <param name="patterns">At least one topic or pattern; repeated ones count once.</param>
    /// <param name="options">The channel's behaviour; null: <see cref="EventBusOptions.Subscription"/>.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled; the reader can still finish what is queued.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    Subscription<TEvent> Subscribe<TEvent>(
        IReadOnlyCollection<string> patterns,
        SubscriptionOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull;

    /// <summary>
    /// Runs a handler for every event, one at a time and in order unless the options say otherwise, until the subscription is
    /// disposed, its token is cancelled, its topic completes or the bus ends.
    /// </summary>
    /// <typeparam name="TEvent">Which events: those whose runtime type can be assigned to it.</typeparam>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <param name="handler">
    /// The handler. What it throws is retried as configured, then logged, counted and published to <c>$bus:failures</c>; neither
    /// the publisher nor another handler sees it. Its token is cancelled when the subscription is disposed.
    /// </param>
    /// <param name="options">How to run it; null: <see cref="EventBusOptions.Subscription"/> and one event at a time.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled; what is queued is still handled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    /// <returns>The subscription. The bus keeps it alive; dispose it to stop handling.</returns>
    /// <exception cref="ArgumentException">The pattern or an option is not allowed.</exception>
    /// <exception cref="InvalidOperationException"><see cref="EventBusOptions.MaxSubscriptions"/> are live already.</exception>
    /// <exception cref="ObjectDisposedException">The bus is disposed.</exception>
    HandlerSubscription Handle<TEvent>(
        string pattern,
        Func<Envelope<TEvent>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull;

    /// <summary>Runs a handler over several patterns: one order, and an event that several of them match comes once.</summary>
    /// <inheritdoc cref="Handle{TEvent}(string, Func{Envelope{TEvent}, CancellationToken, ValueTask}, HandlerOptions?, CancellationToken, string, int)"/>
    /// <param name="patterns">At least one topic or pattern; repeated ones count once.</param>
    /// <param name="handler">The handler.</param>
    /// <param name="options">How to run it.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled; what is queued is still handled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    HandlerSubscription Handle<TEvent>(
        IReadOnlyCollection<string> patterns,
        Func<Envelope<TEvent>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull;

    /// <summary>
    /// Runs a handler for batches of events, one batch at a time and in order, until the subscription is disposed, its token is cancelled,
    /// its topic completes or the bus ends. A batch is handed over when it has <see cref="HandlerOptions.MaxBatchSize"/> events, when its
    /// oldest one is <see cref="HandlerOptions.MaxBatchDelay"/> old, or when no more will come.
    /// </summary>
    /// <typeparam name="TEvent">Which events: those whose runtime type can be assigned to it.</typeparam>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <param name="handler">
    /// The handler. The list has at least one event, and may be kept after the call. What it throws has the whole batch retried as
    /// configured, then logged, counted and published to <c>$bus:failures</c> once. Its token is cancelled when the subscription is disposed.
    /// </param>
    /// <param name="options">How to run it; null: <see cref="EventBusOptions.Subscription"/> and the default batches.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled; what is queued is still handled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    /// <returns>The subscription. The bus keeps it alive; dispose it to stop handling.</returns>
    /// <exception cref="ArgumentException">
    /// The pattern or an option is not allowed; <see cref="HandlerOptions.MaxConcurrency"/> must be 1.
    /// </exception>
    /// <exception cref="InvalidOperationException"><see cref="EventBusOptions.MaxSubscriptions"/> are live already.</exception>
    /// <exception cref="ObjectDisposedException">The bus is disposed.</exception>
    HandlerSubscription HandleBatch<TEvent>(
        string pattern,
        Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull;

    /// <summary>Runs a handler for batches of several patterns: one order, and an event that several of them match comes once.</summary>
    /// <inheritdoc cref="HandleBatch{TEvent}(string, Func{IReadOnlyList{Envelope{TEvent}}, CancellationToken, ValueTask}, HandlerOptions?, CancellationToken, string, int)"/>
    /// <param name="patterns">At least one topic or pattern; repeated ones count once.</param>
    /// <param name="handler">The handler.</param>
    /// <param name="options">How to run it.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled; what is queued is still handled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    HandlerSubscription HandleBatch<TEvent>(
        IReadOnlyCollection<string> patterns,
        Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull;

    /// <summary>
    /// Whether a publish to a topic would reach a live subscription, of whatever type; to skip building an event nobody wants.
    /// History is not asked: on a topic that keeps it, publish anyway.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <returns>True if there is one.</returns>
    /// <exception cref="ArgumentException"><paramref name="topic"/> is no topic.</exception>
    bool HasSubscribers(string topic);

    /// <summary>
    /// Ends a topic's stream: every subscription whose only pattern is that topic ends after it has read what is queued; the
    /// others go on. Under a history rule the end is remembered with the history, so that late subscribers get it too.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <returns>False if there was nothing to end, or it had ended.</returns>
    /// <exception cref="ArgumentException"><paramref name="topic"/> is no topic, or the bus's own.</exception>
    bool Complete(string topic);

    /// <summary>Drops a topic's history and its completed state, so that it begins anew.</summary>
    /// <param name="topic">The topic.</param>
    /// <returns>False if there was nothing to forget.</returns>
    /// <exception cref="ArgumentException"><paramref name="topic"/> is no topic, or the bus's own.</exception>
    bool Forget(string topic);

    /// <summary>
    /// A topic's history, or that of all topics of a pattern, oldest first: the events that can be assigned to a type. Looking
    /// is no use: it does not keep a topic from being the least recently used.
    /// </summary>
    /// <typeparam name="TEvent">Which events.</typeparam>
    /// <param name="topic">The topic, or a pattern with wildcards.</param>
    /// <returns>The events, in the order of their sequences; empty where no history is kept.</returns>
    /// <exception cref="ArgumentException"><paramref name="topic"/> is neither.</exception>
    IReadOnlyList<Envelope<TEvent>> GetHistory<TEvent>(string topic)
        where TEvent : notnull;

    /// <summary>The live subscriptions that a publish to a topic would reach, whatever their type; all when it is null.</summary>
    /// <param name="topic">The topic, or null.</param>
    /// <returns>A snapshot, in the order of their ids.</returns>
    /// <exception cref="ArgumentException"><paramref name="topic"/> is no topic.</exception>
    IReadOnlyList<SubscriptionInfo> GetSubscriptions(string? topic = null);

    /// <summary>Counts over the whole bus since it was created.</summary>
    /// <returns>A snapshot; exact when the bus is at rest.</returns>
    EventBusStatistics GetStatistics();
}
