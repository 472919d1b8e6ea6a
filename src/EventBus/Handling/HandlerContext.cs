namespace EventBus;

/// <summary>What an <see cref="IHandlerFilter"/> is told of the attempt it runs.</summary>
/// <remarks>One for each attempt; safe to read from any number of threads.</remarks>
public sealed class HandlerContext
{
    private readonly Func<IReadOnlyList<object>> _box;

    internal HandlerContext(string handler, string topic, Type eventType, Func<IReadOnlyList<object>> box)
    {
        Handler = handler;
        Topic = topic;
        EventType = eventType;
        _box = box;
    }

    /// <summary>The topic of the event, of the first one in a batch.</summary>
    public string Topic { get; }

    /// <summary>The handler's name, if it was given one (<see cref="SubscriptionOptions.Name"/>), or else its type or method, as in logs.</summary>
    public string Handler { get; }

    /// <summary>The runtime type of the event, of the first one in a batch.</summary>
    public Type EventType { get; }

    /// <summary>The event, or those of the batch, in order. Made when asked for: values are boxed then, and not before.</summary>
    public IReadOnlyList<object> Events => field ??= _box();

    /// <summary>Which attempt at this event or batch it is, from 1 to <see cref="HandlerOptions.MaxAttempts"/>.</summary>
    public int Attempt { get; internal init; }

    /// <summary>The event's <see cref="Envelope{TEvent}.Sequence"/>, that of the first one in a batch; 0 on a topic without history.</summary>
    public long Sequence { get; internal init; }

    /// <summary>When the event was published, the first one in a batch.</summary>
    public DateTimeOffset PublishedAt { get; internal init; }

    /// <summary>The attempt's own scope, from which the handler is created, and which is disposed after it; null without a container.</summary>
    public IServiceProvider? Services { get; internal init; }
}
