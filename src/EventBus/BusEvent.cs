namespace EventBus;

/// <summary>What the bus itself has to tell, on its own topics: <c>Subscribe&lt;BusEvent&gt;("$bus:#")</c> hears all of it.</summary>
public abstract record BusEvent
{
    /// <summary>Where <see cref="SubscriberLagging"/> is published: <c>$bus:lagging</c>.</summary>
    public static readonly Topic<SubscriberLagging> LaggingTopic = new("$bus:lagging");

    /// <summary>Where <see cref="HandlerFailed"/> is published: <c>$bus:failures</c>.</summary>
    public static readonly Topic<HandlerFailed> FailuresTopic = new("$bus:failures");

    private BusEvent()
    {
    }

    /// <summary>
    /// A subscriber started losing events: published once per episode, which ends when its channel was empty, and at most once in 10 s for
    /// a subscription. An episode that begins sooner is told with the first loss after that, if it or another one goes on; nothing is told
    /// of it if the subscriber has caught up by then. Losses of subscriptions to the bus's own topics are only counted.
    /// </summary>
    /// <param name="SubscriptionId">The subscription.</param>
    /// <param name="Name">Its name, if it was given one.</param>
    /// <param name="Patterns">What it listens to.</param>
    /// <param name="Topic">The topic of the publish whose loss is reported.</param>
    /// <param name="Overflow">Its overflow policy.</param>
    /// <param name="Capacity">Its capacity.</param>
    /// <param name="Dropped">Its losses so far, this one included.</param>
    public sealed record SubscriberLagging(
        long SubscriptionId,
        string? Name,
        IReadOnlyList<string> Patterns,
        string Topic,
        OverflowPolicy Overflow,
        int Capacity,
        long Dropped) : BusEvent;

    /// <summary>
    /// A handler failed for good: after its last attempt, once for an event or a batch; or it ended because its channel overflowed under
    /// <see cref="OverflowPolicy.Close"/>, after it had handled what was queued. Or the store of a write-behind did, once for each event
    /// that it refuses; then there is no subscription, and the handler is the store.
    /// </summary>
    /// <param name="SubscriptionId">The handler's subscription; 0 if it is a store.</param>
    /// <param name="Name">Its name, if it was given one.</param>
    /// <param name="Patterns">What it listens to; nothing if it is a store.</param>
    /// <param name="Handler">The handler's type or method, or the store's type.</param>
    /// <param name="Topic">The topic of the event, of the first one in a batch; of the event that was too many.</param>
    /// <param name="EventType">The runtime type of the event, of the first one in a batch; the handler's type of events after an overflow.</param>
    /// <param name="EventCount">How many events were given up: 1, or the batch's size; 0 after an overflow, whose losses are drops.</param>
    /// <param name="Attempts">How often it was tried; 0 after an overflow.</param>
    /// <param name="Exception">What the last attempt threw, or a <see cref="SubscriptionOverflowException"/>.</param>
    public sealed record HandlerFailed(
        long SubscriptionId,
        string? Name,
        IReadOnlyList<string> Patterns,
        string Handler,
        string Topic,
        Type EventType,
        int EventCount,
        int Attempts,
        Exception Exception) : BusEvent
    {
        /// <summary>
        /// The events that were given up, in order, with topic, sequence and time: enough to store them and to publish them again. As many as
        /// <see cref="EventCount"/>; values are boxed.
        /// </summary>
        public IReadOnlyList<Envelope<object>> Events { get; init; } = [];
    }
}
