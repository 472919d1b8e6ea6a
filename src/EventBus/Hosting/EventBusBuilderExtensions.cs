using System.Diagnostics.CodeAnalysis;
using EventBus;
using EventBus.Handling;
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
        return builder.Add(patterns, typeof(THandler), configure, HandlerCall<TEvent>.ForEach(
            static (services, envelope, cancellationToken) =>
                services.GetRequiredService<THandler>().HandleAsync(envelope, cancellationToken),
            typeof(THandler).ToString()));
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
        return builder.Add(patterns, handlerType: null, configure, HandlerCall<TEvent>.ForEach(handler));
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
        return builder.Add(patterns, typeof(THandler), configure, HandlerCall<TEvent>.ForBatch(
            static (services, batch, cancellationToken) => services.GetRequiredService<THandler>().HandleAsync(batch, cancellationToken),
            typeof(THandler).ToString()));
    }

    /// <summary>Registers a delegate as the batch handler of one topic or pattern.</summary>
    /// <typeparam name="TEvent">Which events: those whose runtime type can be assigned to it.</typeparam>
    /// <param name="builder">The bus.</param>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <param name="handler">The handler; the services are those of the batch's own scope.</param>
    /// <param name="configure">Sets the options, which start from <see cref="EventBusOptions.Subscription"/>; null: leaves them.</param>
    /// <returns>The builder, for chaining.</returns>
    /// <exception cref="ArgumentException"><paramref name="pattern"/> is no pattern.</exception>
    public static EventBusBuilder AddBatchHandler<TEvent>(
        this EventBusBuilder builder,
        string pattern,
        Func<IServiceProvider, IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler,
        Action<HandlerOptions>? configure = null)
        where TEvent : notnull =>
        builder.AddBatchHandler([pattern], handler, configure);

    /// <summary>Registers a delegate as the batch handler of several patterns: one order, and an event that several match comes once.</summary>
    /// <typeparam name="TEvent">Which events: those whose runtime type can be assigned to it.</typeparam>
    /// <param name="builder">The bus.</param>
    /// <param name="patterns">At least one topic or pattern; repeated ones count once.</param>
    /// <param name="handler">The handler; the services are those of the batch's own scope.</param>
    /// <param name="configure">Sets the options, which start from <see cref="EventBusOptions.Subscription"/>; null: leaves them.</param>
    /// <returns>The builder, for chaining.</returns>
    /// <exception cref="ArgumentException">There is no pattern, or one is none.</exception>
    public static EventBusBuilder AddBatchHandler<TEvent>(
        this EventBusBuilder builder,
        IReadOnlyCollection<string> patterns,
        Func<IServiceProvider, IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler,
        Action<HandlerOptions>? configure = null)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(handler);
        return builder.Add(patterns, handlerType: null, configure, HandlerCall<TEvent>.ForBatch(handler));
    }

    /// <summary>
    /// Registers a filter around every attempt of every handler of the bus: those registered here, batch handlers and delegates
    /// too, and those made by <see cref="IEventBus.Handle{TEvent}(string, Func{Envelope{TEvent}, CancellationToken, ValueTask}, HandlerOptions?, CancellationToken, string, int)"/>.
    /// </summary>
    /// <typeparam name="TFilter">
    /// The filter, taken from the attempt's own scope. Registered as scoped, unless it is registered already. One that needs a service nobody
    /// registered fails the start.
    /// </typeparam>
    /// <param name="builder">The bus.</param>
    /// <returns>The builder, for chaining.</returns>
    /// <remarks>The first one registered is the outermost; one registered twice runs twice.</remarks>
    public static EventBusBuilder AddFilter<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TFilter>(
        this EventBusBuilder builder)
        where TFilter : class, IHandlerFilter
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddScoped<TFilter>();
        builder.Services.AddSingleton(
            new FilterRegistration(builder.Name, typeof(TFilter), static services => services.GetRequiredService<TFilter>()));
        return builder;
    }

    private static EventBusBuilder Add<TEvent>(
        this EventBusBuilder builder,
        IReadOnlyCollection<string> patterns,
        Type? handlerType,
        Action<HandlerOptions>? configure,
        HandlerCall<TEvent> call)
        where TEvent : notnull
    {
        string[] parsed = Parse(patterns);
        builder.Services.AddSingleton(new HandlerRegistration
        {
            Bus = new BusRegistration(builder.Name),
            Handler = call.Name,
            Patterns = parsed,
            HandlerType = handlerType,
            Configure = configure,
            Subscribe = (bus, options) => bus.Handle(parsed, call, options, callerFile: "", callerLine: 0, default),
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
}
