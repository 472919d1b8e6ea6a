using Microsoft.Extensions.Logging;

namespace EventBus.Diagnostics;

/// <summary>Every message the library logs. Event ids are stable: a new message gets a new id, a retired one's is not reused.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Warning,
        "A subscription to {Patterns} made at {File}:{Line} was never disposed and nothing refers to it any more; it was " +
        "unsubscribed. Keep the subscription for as long as you read from it, and dispose it then.")]
    public static partial void SubscriptionAbandoned(ILogger logger, string patterns, string file, int line);

    [LoggerMessage(2, LogLevel.Warning,
        "The subscription {Id} to {Patterns} is losing events: its channel of {Capacity} is full ({Overflow}); {Dropped} lost so far.")]
    public static partial void SubscriberLagging(ILogger logger, long id, string patterns, int capacity, OverflowPolicy overflow, long dropped);

    [LoggerMessage(3, LogLevel.Error,
        "An observer of the subscription to {Patterns} threw and was detached.")]
    public static partial void ObserverFailed(ILogger logger, Exception exception, string patterns);

    [LoggerMessage(4, LogLevel.Error,
        "The handler {Handler} of {Patterns} failed on {EventCount} event(s), first a {EventType} on {Topic}, and gave up after attempt {Attempt}.")]
    public static partial void HandlerFailed(
        ILogger logger, Exception exception, string handler, string patterns, int eventCount, string eventType, string topic, int attempt);

    [LoggerMessage(5, LogLevel.Error,
        "The handler {Handler} of {Patterns} failed {Suppressed} times more within {Interval}, which were not logged one by one.")]
    public static partial void HandlerFailuresSuppressed(ILogger logger, string handler, string patterns, long suppressed, TimeSpan interval);

    [LoggerMessage(6, LogLevel.Warning,
        "{Suppressed} more reports of subscriptions that are losing events, within {Interval}, were not logged one by one.")]
    public static partial void SubscribersLaggingSuppressed(ILogger logger, long suppressed, TimeSpan interval);

    [LoggerMessage(7, LogLevel.Warning,
        "{Suppressed} more subscriptions that were never disposed were unsubscribed within {Interval}, which were not logged one by one.")]
    public static partial void SubscriptionsAbandonedSuppressed(ILogger logger, long suppressed, TimeSpan interval);

    [LoggerMessage(8, LogLevel.Warning,
        "The handler {Handler} of {Patterns} was stopped before it was done: {Unhandled} event(s) were not handled. Allow it a longer " +
        "DrainTimeout (and a host a longer shutdown timeout), or have it heed its cancellation token.")]
    public static partial void HandlerStopped(ILogger logger, string handler, string patterns, long unhandled);

    [LoggerMessage(9, LogLevel.Debug,
        "The handler {Handler} of {Patterns} failed on {EventCount} event(s), first a {EventType} on {Topic}, in attempt {Attempt}; it is " +
        "tried again in {Delay}.")]
    public static partial void HandlerRetries(
        ILogger logger, Exception exception, string handler, string patterns, int eventCount, string eventType, string topic, int attempt, TimeSpan delay);

    [LoggerMessage(10, LogLevel.Error,
        "The handler {Handler} of {Patterns} has handled what was queued and gets no more events: its channel overflowed and was closed.")]
    public static partial void HandlerOverflowed(ILogger logger, Exception exception, string handler, string patterns);

    [LoggerMessage(11, LogLevel.Error,
        "The option ShouldRetry of the handler {Handler} of {Patterns} threw; what it was asked about is not tried again.")]
    public static partial void ShouldRetryFailed(ILogger logger, Exception exception, string handler, string patterns);

    [LoggerMessage(18, LogLevel.Error,
        "What awaits an event, or room for one, was to go on in a {Context}, which threw when it was asked: that code does not go on. Its window " +
        "or scheduler may have been closed; dispose the subscription before that, or await with ConfigureAwait(false).")]
    public static partial void ContextFailed(ILogger logger, Exception exception, string context);

    [LoggerMessage(16, LogLevel.Debug,
        "An event of {EventType} was published to {Topic}, and nobody listens: it matched no subscription. It is a common mistake to subscribe " +
        "after publishing (only a topic with history can replay), to another topic, or to a type that the event is not assignable to. This is " +
        "told once for a topic.")]
    public static partial void PublishUnheard(ILogger logger, string eventType, string topic);

    [LoggerMessage(13, LogLevel.Error,
        "The handler {Handler} of {Patterns} ended, because something failed besides the handler's own code. {Unhandled} event(s) were not handled.")]
    public static partial void HandlerEnded(ILogger logger, Exception exception, string handler, string patterns, long unhandled);

    [LoggerMessage(14, LogLevel.Error,
        "{EventCount} event(s) for the handler {Handler} of {Patterns} were not handled, because something failed besides the handler's own code. " +
        "It goes on with the next.")]
    public static partial void EventNotHandled(ILogger logger, Exception exception, string handler, string patterns, int eventCount);

    [LoggerMessage(15, LogLevel.Warning,
        "The handler {Handler} of {Patterns} hangs: its time is over, its token was cancelled, and it still works on {EventCount} event(s). " +
        "Have it heed its cancellation token.")]
    public static partial void HandlerHangs(ILogger logger, string handler, string patterns, int eventCount);

    [LoggerMessage(17, LogLevel.Warning,
        "The handler {Handler} of {Patterns} ended, because the container that its attempts get their services and filters from is disposed. " +
        "{Unhandled} event(s) were not handled. Dispose the subscription, or stop the host, before that.")]
    public static partial void HandlerUnavailable(ILogger logger, string handler, string patterns, long unhandled);

    [LoggerMessage(20, LogLevel.Error,
        "The store of {EventType} failed on a batch of {EventCount} at attempt {Attempt}; it will be tried again. {Buffered} event(s) are " +
        "buffered. Further failures of this batch are logged ever more rarely.")]
    public static partial void StoreFailed(
        ILogger logger, Exception exception, string eventType, int eventCount, int attempt, int buffered);

    [LoggerMessage(21, LogLevel.Information, "The store of {EventType} took the batch at attempt {Attempt}.")]
    public static partial void StoreRecovered(ILogger logger, string eventType, int attempt);

    [LoggerMessage(22, LogLevel.Error,
        "{EventCount} event(s) of {EventType} were not stored within the drain time-out of {DrainTimeout} and are lost; none of them was " +
        "broadcast. The store was busy with {BeingStored} of them, and may have stored those.")]
    public static partial void WriteBehindLost(
        ILogger logger, string eventType, int eventCount, TimeSpan drainTimeout, int beingStored);

    [LoggerMessage(23, LogLevel.Error, "{EventCount} event(s) of {EventType} were stored, but the publisher threw when they were broadcast.")]
    public static partial void BroadcastFailed(ILogger logger, Exception exception, string eventType, int eventCount);

    [LoggerMessage(24, LogLevel.Error,
        "The store of {EventType} refused the event {Id} on {Topic}: it failed {Attempts} times on it, at last on it alone. The event is given " +
        "up, and neither stored nor broadcast.")]
    public static partial void EventRefused(ILogger logger, Exception exception, string eventType, long id, string topic, int attempts);

    [LoggerMessage(25, LogLevel.Error,
        "The store of {EventType} refused {Suppressed} events more within {Interval}, which were not logged one by one.")]
    public static partial void EventsRefusedSuppressed(ILogger logger, string eventType, long suppressed, TimeSpan interval);

    [LoggerMessage(26, LogLevel.Warning,
        "The store of {EventType} has been appending a batch of {EventCount} for {Duration}. Until it returns nothing else is stored or " +
        "broadcast; {Buffered} event(s) are buffered.")]
    public static partial void StoreHangs(ILogger logger, string eventType, int eventCount, TimeSpan duration, int buffered);

    [LoggerMessage(27, LogLevel.Error, "The write-behind of {EventType} failed, and goes on after a rest. {Buffered} event(s) are buffered.")]
    public static partial void PumpFailed(ILogger logger, Exception exception, string eventType, int buffered);

    [LoggerMessage(28, LogLevel.Error,
        "The write-behind of {EventType} was disposed while its publisher had not returned from broadcasting {EventCount} stored event(s) for " +
        "{Duration}; it was not waited for any longer.")]
    public static partial void BroadcastHangs(ILogger logger, string eventType, int eventCount, TimeSpan duration);
}
