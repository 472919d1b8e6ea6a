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
}
