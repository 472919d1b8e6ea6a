namespace EventBus;

/// <summary>Handles events one at a time; a fresh instance in a fresh scope for each.</summary>
/// <typeparam name="TEvent">Which events.</typeparam>
public interface IEventHandler<TEvent>
    where TEvent : notnull
{
    /// <summary>Handles one event. What it throws is retried as configured, then logged, counted and published to <c>$bus:failures</c>.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="cancellationToken">Cancelled when the handler must stop: on dispose, or when draining took too long.</param>
    /// <returns>A task that ends when the event is handled.</returns>
    ValueTask HandleAsync(Envelope<TEvent> envelope, CancellationToken cancellationToken);
}

/// <summary>Handles events in batches; a fresh instance in a fresh scope for each batch.</summary>
/// <typeparam name="TEvent">Which events.</typeparam>
public interface IBatchEventHandler<TEvent>
    where TEvent : notnull
{
    /// <summary>Handles a batch. What it throws has the whole batch retried as configured.</summary>
    /// <param name="batch">At least one event, in order. The list may be kept after the call.</param>
    /// <param name="cancellationToken">Cancelled when the handler must stop: on dispose, or when draining took too long.</param>
    /// <returns>A task that ends when the batch is handled.</returns>
    ValueTask HandleAsync(IReadOnlyList<Envelope<TEvent>> batch, CancellationToken cancellationToken);
}
