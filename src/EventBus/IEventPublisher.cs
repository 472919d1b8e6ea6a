namespace EventBus;

/// <summary>Publishes events. Safe to use from any number of threads.</summary>
public interface IEventPublisher
{
    /// <summary>
    /// Hands an event to everyone who listens to a topic: fire and forget. It never waits, never runs user code and never
    /// throws for a subscriber's sake.
    /// </summary>
    /// <typeparam name="TEvent">
    /// The event's type as the publisher knows it. Who gets the event is decided by its runtime type: every subscription whose
    /// type it can be assigned to, once each.
    /// </typeparam>
    /// <param name="topic">The topic; see <see cref="Topic"/> for what is allowed.</param>
    /// <param name="event">The event. Subscribers share it: treat it as immutable.</param>
    /// <param name="except">A subscription that does not get it; for a publisher that listens too.</param>
    /// <returns>
    /// How many live subscriptions it was for, and how many events full channels lost by this call. <c>default</c> once the bus
    /// is disposed.
    /// </returns>
    /// <remarks>
    /// Allocates nothing once the topic's route is cached (at most 8,192 are); a value-type event is boxed once on a topic with
    /// history or where a subscriber wants a reference type. Two publishes of which the first returned before the second
    /// began are seen in that order by every subscription.
    /// </remarks>
    /// <exception cref="ArgumentException"><paramref name="topic"/> is no topic, or the bus's own (<c>$…</c>).</exception>
    /// <exception cref="ArgumentNullException"><paramref name="topic"/> or <paramref name="event"/> is null.</exception>
    PublishResult Publish<TEvent>(string topic, TEvent @event, Subscription? except = null)
        where TEvent : notnull;

    /// <summary>
    /// Publishes with back-pressure: hands the event to everyone who has room at once, then waits for all full
    /// <see cref="OverflowPolicy.Wait"/> subscriptions together, up to each one's <see cref="SubscriptionOptions.WaitTimeout"/>.
    /// </summary>
    /// <typeparam name="TEvent">The event's type as the publisher knows it.</typeparam>
    /// <param name="topic">The topic.</param>
    /// <param name="event">The event.</param>
    /// <param name="except">A subscription that does not get it.</param>
    /// <param name="cancellationToken">
    /// Cancelled beforehand, nothing is published. Cancelled while waiting, the event is lost for those still full, counted, and
    /// the task is cancelled; the others have the event, so don't publish it again.
    /// </param>
    /// <returns>How many live subscriptions it was for, and how many events full channels lost by this call.</returns>
    /// <remarks>
    /// N slow subscribers cost one time-out, not N. One that timed out is not waited for again until it has read something.
    /// While a publisher waits for a subscription, that subscription is full to everyone else; waiters are served in order.
    /// </remarks>
    /// <exception cref="ArgumentException"><paramref name="topic"/> is no topic, or the bus's own (<c>$…</c>).</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    ValueTask<PublishResult> PublishAsync<TEvent>(
        string topic,
        TEvent @event,
        Subscription? except = null,
        CancellationToken cancellationToken = default)
        where TEvent : notnull;
}
