using System.Runtime.CompilerServices;

namespace EventBus;

/// <summary>The calls of the bus with a typed topic instead of a string, and with a token but no options.</summary>
/// <remarks>
/// Those that take options come first where both would do, as a call of the bus itself does: <c>new() { … }</c> and <c>default</c> are
/// options, and not a token.
/// </remarks>
public static class EventBusExtensions
{
    /// <inheritdoc cref="IEventPublisher.Publish"/>
    /// <param name="publisher">The publisher.</param>
    /// <param name="topic">The topic; only its own events can be published to it.</param>
    /// <param name="event">The event.</param>
    /// <param name="except">A subscription that does not get it.</param>
    public static PublishResult Publish<TEvent>(
        this IEventPublisher publisher, Topic<TEvent> topic, TEvent @event, Subscription? except = null)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(publisher);
        return publisher.Publish(topic.Name, @event, except);
    }

    /// <inheritdoc cref="IEventPublisher.PublishAsync"/>
    /// <param name="publisher">The publisher.</param>
    /// <param name="topic">The topic; only its own events can be published to it.</param>
    /// <param name="event">The event.</param>
    /// <param name="except">A subscription that does not get it.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    public static ValueTask<PublishResult> PublishAsync<TEvent>(
        this IEventPublisher publisher,
        Topic<TEvent> topic,
        TEvent @event,
        Subscription? except = null,
        CancellationToken cancellationToken = default)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(publisher);
        return publisher.PublishAsync(topic.Name, @event, except, cancellationToken);
    }

    /// <inheritdoc cref="IEventPublisher.PublishAsync"/>
    /// <param name="publisher">The publisher.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="event">The event.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    public static ValueTask<PublishResult> PublishAsync<TEvent>(
        this IEventPublisher publisher, string topic, TEvent @event, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(publisher);
        return publisher.PublishAsync(topic, @event, except: null, cancellationToken);
    }

    /// <inheritdoc cref="IEventPublisher.PublishAsync"/>
    /// <param name="publisher">The publisher.</param>
    /// <param name="topic">The topic; only its own events can be published to it.</param>
    /// <param name="event">The event.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    public static ValueTask<PublishResult> PublishAsync<TEvent>(
        this IEventPublisher publisher, Topic<TEvent> topic, TEvent @event, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(publisher);
        return publisher.PublishAsync(topic.Name, @event, except: null, cancellationToken);
    }

    /// <inheritdoc cref="IEventBus.Subscribe{TEvent}(string, SubscriptionOptions?, CancellationToken, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="options">The channel's behaviour.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    [OverloadResolutionPriority(1)]
    public static Subscription<TEvent> Subscribe<TEvent>(
        this IEventBus bus,
        Topic<TEvent> topic,
        SubscriptionOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.Subscribe<TEvent>(topic.Name, options, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc cref="IEventBus.Subscribe{TEvent}(string, SubscriptionOptions?, CancellationToken, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    public static Subscription<TEvent> Subscribe<TEvent>(
        this IEventBus bus,
        string pattern,
        CancellationToken cancellationToken,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.Subscribe<TEvent>(pattern, options: null, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc cref="IEventBus.Subscribe{TEvent}(string, SubscriptionOptions?, CancellationToken, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    public static Subscription<TEvent> Subscribe<TEvent>(
        this IEventBus bus,
        Topic<TEvent> topic,
        CancellationToken cancellationToken,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.Subscribe<TEvent>(topic.Name, options: null, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc cref="IEventBus.Handle{TEvent}(string, Func{Envelope{TEvent}, CancellationToken, ValueTask}, HandlerOptions?, CancellationToken, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="handler">The handler.</param>
    /// <param name="options">How to run it.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    [OverloadResolutionPriority(1)]
    public static HandlerSubscription Handle<TEvent>(
        this IEventBus bus,
        Topic<TEvent> topic,
        Func<Envelope<TEvent>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.Handle(topic.Name, handler, options, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc cref="IEventBus.Handle{TEvent}(string, Func{Envelope{TEvent}, CancellationToken, ValueTask}, HandlerOptions?, CancellationToken, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <param name="handler">The handler.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    public static HandlerSubscription Handle<TEvent>(
        this IEventBus bus,
        string pattern,
        Func<Envelope<TEvent>, CancellationToken, ValueTask> handler,
        CancellationToken cancellationToken,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.Handle(pattern, handler, options: null, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc cref="IEventBus.Handle{TEvent}(string, Func{Envelope{TEvent}, CancellationToken, ValueTask}, HandlerOptions?, CancellationToken, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="handler">The handler.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    public static HandlerSubscription Handle<TEvent>(
        this IEventBus bus,
        Topic<TEvent> topic,
        Func<Envelope<TEvent>, CancellationToken, ValueTask> handler,
        CancellationToken cancellationToken,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.Handle(topic.Name, handler, options: null, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc cref="IEventBus.HandleBatch{TEvent}(string, Func{IReadOnlyList{Envelope{TEvent}}, CancellationToken, ValueTask}, HandlerOptions?, CancellationToken, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="handler">The handler.</param>
    /// <param name="options">How to run it.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    [OverloadResolutionPriority(1)]
    public static HandlerSubscription HandleBatch<TEvent>(
        this IEventBus bus,
        Topic<TEvent> topic,
        Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.HandleBatch(topic.Name, handler, options, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc cref="IEventBus.HandleBatch{TEvent}(string, Func{IReadOnlyList{Envelope{TEvent}}, CancellationToken, ValueTask}, HandlerOptions?, CancellationToken, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <param name="handler">The handler.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    public static HandlerSubscription HandleBatch<TEvent>(
        this IEventBus bus,
        string pattern,
        Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler,
        CancellationToken cancellationToken,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.HandleBatch(pattern, handler, options: null, cancellationToken, callerFile, callerLine);
    }

    /// <inheritdoc cref="IEventBus.HandleBatch{TEvent}(string, Func{IReadOnlyList{Envelope{TEvent}}, CancellationToken, ValueTask}, HandlerOptions?, CancellationToken, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="handler">The handler.</param>
    /// <param name="cancellationToken">Ends the subscription when cancelled.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    public static HandlerSubscription HandleBatch<TEvent>(
        this IEventBus bus,
        Topic<TEvent> topic,
        Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler,
        CancellationToken cancellationToken,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.HandleBatch(topic.Name, handler, options: null, cancellationToken, callerFile, callerLine);
    }
}
