using System.Diagnostics.CodeAnalysis;
using EventBus;
using EventBus.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers handlers that a host starts and stops.</summary>
/// <remarks>
/// <para>
/// Handlers subscribe before any other hosted service of the host starts, so nothing that is published during start-up is lost. Every
/// attempt to deliver an event (or a batch) gets a fresh async scope, which is disposed after it, also on failure; the handler is
/// resolved from that scope. The same class may be registered for several patterns, events and buses, each time with its own options;
/// registered twice for the same, it gets everything twice. A handler class that is not registered as a service becomes a scoped one.
/// </para>
/// <para>
/// A handler that needs a service nobody registered fails the start, with a message that names both; no handler is created for that check.
/// So does a handler registered as a singleton that would hold on to a scoped service, and so do options out of their range.
/// </para>
/// <para>
/// When the host stops, handlers go on until every other service has stopped, write-behind was flushed, and no handler has anything queued
/// or running; at the latest until their <see cref="HandlerOptions.DrainTimeout"/> or the host's shutdown timeout. Then their tokens
/// are cancelled; what was not handled is counted and logged.
/// </para>
/// </remarks>
public static class EventBusBuilderExtensions
{
    /// <summary>Registers a handler of one topic or pattern.</summary>
    /// <typeparam name="TEvent">Which events: those whose runtime type can be assigned to it.</typeparam>
    /// <typeparam name="THandler">The handler.</typeparam>
    /// <param name="builder">The bus.</param>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <param name="configure">Sets the options, which start from <see cref="EventBusOptions.Subscription"/>; null: leaves them.</param>
    /// <returns>The builder, for chaining.</returns>
    /// <exception cref="ArgumentException"><paramref name="pattern"/> is no pattern.</exception>
    public static EventBusBuilder AddHandler<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this EventBusBuilder builder, string pattern, Action<HandlerOptions>? configure = null)
        where TEvent : notnull
        where THandler : class, IEventHandler<TEvent> =>
        builder.AddHandler<TEvent, THandler>([pattern], configure);

    /// <summary>Registers a handler of several patterns: one order, and an event that several of them match comes once.</summary>
    /// <typeparam name="TEvent">Which events: those whose runtime type can be assigned to it.</typeparam>
    /// <typeparam name="THandler">The handler.</typeparam>
    /// <param name="builder">The bus.</param>
    /// <param name="patterns">At least one topic or pattern; repeated ones count once.</param>
    /// <param name="configure">Sets the options, which start from <see cref="EventBusOptions.Subscription"/>; null: leaves them.</param>
    /// <returns>The builder, for chaining.</returns>
    /// <exception cref="ArgumentException">There is no pattern, or one is none.</exception>
    public static EventBusBuilder AddHandler<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this EventBusBuilder builder, IReadOnlyCollection<string> patterns, Action<HandlerOptions>? configure = null)
        where TEvent : notnull
        where THandler : class, IEventHandler<TEvent>
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddScoped<THandler>();
        string[] parsed = Parse(patterns);
        string name = NameOf(typeof(THandler));
        return builder.Add(name, parsed, typeof(THandler), configure, (bus, services, options) =>
            bus.Handle(parsed, new ScopedCalls<TEvent>(services).ForEach<THandler>(name), options, callerFile: "", callerLine: 0, default));
    }

    /// <summary>Registers a delegate as the handler of one topic or pattern.</summary>
    /// <typeparam name="TEvent">Which events: those whose runtime type can be assigned to it.</typeparam>
    /// <param name="builder">The bus.</param>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <param name="handler">The handler; the services are those of the delivery's own scope.</param>
    /// <param name="configure">Sets the options, which start from <see cref="EventBusOptions.Subscription"/>; null: leaves them.</param>
    /// <returns>The builder, for chaining.</returns>
    /// <exception cref="ArgumentException"><paramref name="pattern"/> is no pattern.</exception>
    public static EventBusBuilder AddHandler<TEvent>(
        this EventBusBuilder builder,
        string pattern,
        Func<IServiceProvider, Envelope<TEvent>, CancellationToken, ValueTask> handler,
        Action<HandlerOptions>? configure = null)
        where TEvent : notnull =>
        builder.AddHandler([pattern], handler, configure);

    /// <summary>Registers a delegate as the handler of several patterns: one order, and an event that several of them match comes once.</summary>
    /// <typeparam name="TEvent">Which events: those whose runtime type can be assigned to it.</typeparam>
    /// <param name="builder">The bus.</param>
    /// <param name="patterns">At least one topic or pattern; repeated ones count once.</param>
    /// <param name="handler">The handler; the services are those of the delivery's own scope.</param>
    /// <param name="configure">Sets the options, which start from <see cref="EventBusOptions.Subscription"/>; null: leaves them.</param>
    /// <returns>The builder, for chaining.</returns>
    /// <exception cref="ArgumentException">There is no pattern, or one is none.</exception>
    public static EventBusBuilder AddHandler<TEvent>(
        this EventBusBuilder builder,
        IReadOnlyCollection<string> patterns,
        Func<IServiceProvider, Envelope<TEvent>, CancellationToken, ValueTask> handler,
        Action<HandlerOptions>? configure = null)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(handler);
        string[] parsed = Parse(patterns);
        string name = $"{handler.Method.DeclaringType}.{handler.Method.Name}";
        return builder.Add(name, parsed, handlerType: null, configure, (bus, services, options) =>
            bus.Handle(parsed, new ScopedCalls<TEvent>(services).ForEach(handler, name), options, callerFile: "", callerLine: 0, default));
    }

    /// <summary>Registers a batch handler of one topic or pattern.</summary>
    /// <typeparam name="TEvent">Which events: those whose runtime type can be assigned to it.</typeparam>
    /// <typeparam name="THandler">The handler.</typeparam>
    /// <param name="builder">The bus.</param>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <param name="configure">Sets the options, which start from <see cref="EventBusOptions.Subscription"/>; null: leaves them.</param>
    /// <returns>The builder, for chaining.</returns>
    /// <exception cref="ArgumentException"><paramref name="pattern"/> is no pattern.</exception>
    public static EventBusBuilder AddBatchHandler<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this EventBusBuilder builder, string pattern, Action<HandlerOptions>? configure = null)
        where TEvent : notnull
        where THandler : class, IBatchEventHandler<TEvent> =>
        builder.AddBatchHandler<TEvent, THandler>([pattern], configure);

    /// <summary>Registers a batch handler of several patterns: one order, and an event that several of them match comes once.</summary>
    /// <typeparam name="TEvent">Which events: those whose runtime type can be assigned to it.</typeparam>
    /// <typeparam name="THandler">The handler.</typeparam>
    /// <param name="builder">The bus.</param>
    /// <param name="patterns">At least one topic or pattern; repeated ones count once.</param>
    /// <param name="configure">Sets the options, which start from <see cref="EventBusOptions.Subscription"/>; null: leaves them.</param>
    /// <returns>The builder, for chaining.</returns>
    /// <exception cref="ArgumentException">There is no pattern, or one is none.</exception>
    public static EventBusBuilder AddBatchHandler<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this EventBusBuilder builder, IReadOnlyCollection<string> patterns, Action<HandlerOptions>? configure = null)
        where TEvent : notnull
        where THandler : class, IBatchEventHandler<TEvent>
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddScoped<THandler>();
        string[] parsed = Parse(patterns);
        string name = NameOf(typeof(THandler));
        return builder.Add(name, parsed, typeof(THandler), configure, (bus, services, options) =>
            bus.Handle(parsed, new ScopedCalls<TEvent>(services).ForBatch<THandler>(name), options, callerFile: "", callerLine: 0, default));
    }

    private static EventBusBuilder Add(
        this EventBusBuilder builder,
        string handler,
        string[] patterns,
        Type? handlerType,
        Action<HandlerOptions>? configure,
        Func<InProcessEventBus, IServiceProvider, HandlerOptions, HandlerSubscription> subscribe)
    {
        builder.Services.AddSingleton(new HandlerRegistration
        {
            Bus = new BusRegistration(builder.Name),
            Handler = handler,
            Patterns = patterns,
            HandlerType = handlerType,
            Configure = configure,
            Subscribe = subscribe,
        });
        return builder;
    }

    /// <summary>A mistake in a pattern is told where it is made, and not when the host starts.</summary>
    private static string[] Parse(IReadOnlyCollection<string> patterns)
    {
        ArgumentNullException.ThrowIfNull(patterns);
        return patterns.Count > 0
            ? [.. patterns.Select(p => TopicPattern.Parse(p).ToString()).Distinct(StringComparer.Ordinal)]
            : throw new ArgumentException("No pattern was given; a handler listens to at least one.", nameof(patterns));
    }

    private static string NameOf(Type handler) => handler.ToString();
}
