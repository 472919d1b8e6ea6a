namespace EventBus.Handling;

/// <summary>User code to be run for events: one at a time or in batches, by itself or with the services of a scope.</summary>
/// <remarks>Exactly one of the delegates is set.</remarks>
internal sealed record HandlerCall<TEvent>
    where TEvent : notnull
{
    private HandlerCall(string name)
    {
        Name = name;
    }

    /// <summary>The handler's type or method, for messages.</summary>
    public string Name { get; }

    /// <summary>Where the bus's attempts get their scopes from; null without a container.</summary>
    public AttemptScopes? Scopes { get; init; }

    /// <summary>Whether it cannot be called without services.</summary>
    public bool NeedsServices => ScopedEach is not null || ScopedBatch is not null;

    public bool IsBatch => Batch is not null || ScopedBatch is not null;

    private Func<Envelope<TEvent>, CancellationToken, ValueTask>? Each { get; init; }

    private Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask>? Batch { get; init; }

    private Func<IServiceProvider, Envelope<TEvent>, CancellationToken, ValueTask>? ScopedEach { get; init; }

    private Func<IServiceProvider, IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask>? ScopedBatch { get; init; }

    public static HandlerCall<TEvent> ForEach(Func<Envelope<TEvent>, CancellationToken, ValueTask> handler) =>
        new(NameOf(handler)) { Each = handler };

    public static HandlerCall<TEvent> ForEach(Func<IServiceProvider, Envelope<TEvent>, CancellationToken, ValueTask> handler, string? name = null) =>
        new(name ?? NameOf(handler)) { ScopedEach = handler };

    public static HandlerCall<TEvent> ForBatch(Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler) =>
        new(NameOf(handler)) { Batch = handler };

    public static HandlerCall<TEvent> ForBatch(
        Func<IServiceProvider, IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler, string? name = null) =>
        new(name ?? NameOf(handler)) { ScopedBatch = handler };

    /// <summary>Calls the handler.</summary>
    /// <param name="services">The attempt's scope; null only if the handler needs none.</param>
    /// <param name="first">The event, or the first of the batch.</param>
    /// <param name="batch">The batch; null for a single event.</param>
    /// <param name="cancellationToken">The handler's token.</param>
    public ValueTask InvokeAsync(
        IServiceProvider? services, in Envelope<TEvent> first, Envelope<TEvent>[]? batch, CancellationToken cancellationToken)
    {
        if (batch is null)
            return Each is not null ? Each(first, cancellationToken) : ScopedEach!(services!, first, cancellationToken);
        return Batch is not null ? Batch(batch, cancellationToken) : ScopedBatch!(services!, batch, cancellationToken);
    }

    private static string NameOf(Delegate handler) => $"{handler.Method.DeclaringType}.{handler.Method.Name}";
}
