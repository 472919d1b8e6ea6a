namespace EventBus;

/// <summary>An event on its way through a <see cref="WriteBehindPublisher{TEvent}"/>: to be stored, then broadcast.</summary>
/// <typeparam name="TEvent">The event's type.</typeparam>
/// <param name="Id">
/// Grows with every event of the process and is unique across restarts, so that a store that was handed an event before can ignore it.
/// Numbers may be left out. It starts from the start time in microseconds: a clock set back between two runs, or several processes that
/// write into one store, need a key of more than the id.
/// </param>
/// <param name="Topic">The topic it will be broadcast to.</param>
/// <param name="Event">The event.</param>
/// <param name="CreatedAt">When it was published.</param>
public readonly record struct BufferedEvent<TEvent>(long Id, string Topic, TEvent Event, DateTimeOffset CreatedAt);

/// <summary>Keeps events for good: a database, a file, another service. Written by the user.</summary>
/// <typeparam name="TEvent">Which events.</typeparam>
public interface IEventStore<TEvent>
    where TEvent : notnull
{
    /// <summary>Stores a batch, whole or not at all as far as the store can.</summary>
    /// <param name="batch">
    /// At least one event, <see cref="BufferedEvent{TEvent}.Id"/> growing. The list may be kept after the call. After a failure the
    /// same batch comes again (with <see cref="WriteBehindOptions.MaxAttempts"/> also parts of it), so events of it may be stored already:
    /// ignore an id the store has.
    /// </param>
    /// <param name="cancellationToken">Cancelled when the publisher was disposed and its time for draining is over.</param>
    /// <returns>A task that ends when the batch is stored; only then is it broadcast.</returns>
    /// <remarks>
    /// Never called twice at once by one publisher. Whatever it throws counts as a failure. It must not wait for
    /// <see cref="WriteBehindPublisher{TEvent}.FlushAsync"/> or for room in the publisher that calls it: both wait for this call. A call that
    /// takes 30 s is logged as a warning, once, as it holds up everything after it; it is not ended, so give it a time-out of its own.
    /// </remarks>
    ValueTask AppendAsync(IReadOnlyList<BufferedEvent<TEvent>> batch, CancellationToken cancellationToken);
}
