namespace EventBus.Handling;

/// <summary>User code to be run for events: one at a time, or in batches. Exactly one of the two is set.</summary>
internal sealed class HandlerCall<TEvent>
    where TEvent : notnull
{
    private HandlerCall(string name)
    {
        Name = name;
    }

    /// <summary>The handler's type or method, for messages.</summary>
    public string Name { get; }

    public Func<Envelope<TEvent>, CancellationToken, ValueTask>? Each { get; private init; }

    public Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask>? Batch { get; private init; }

    public static HandlerCall<TEvent> ForEach(Func<Envelope<TEvent>, CancellationToken, ValueTask> handler, string? name = null) =>
        new(name ?? NameOf(handler)) { Each = handler };

    public static HandlerCall<TEvent> ForBatch(
        Func<IReadOnlyList<Envelope<TEvent>>, CancellationToken, ValueTask> handler, string? name = null) =>
        new(name ?? NameOf(handler)) { Batch = handler };

    private static string NameOf(Delegate handler) => $"{handler.Method.DeclaringType}.{handler.Method.Name}";
}
