using EventBus.Diagnostics;

namespace EventBus.Delivery;

/// <summary>What does not change about a subscriber.</summary>
internal sealed class SubscriberProfile
{
    public SubscriberProfile(
        long id,
        TopicPattern[] patterns,
        Type eventType,
        SubscriptionOptions options,
        DateTimeOffset createdAt,
        string callerFile,
        int callerLine,
        string? handler = null)
    {
        Id = id;
        Patterns = patterns;
        EventType = eventType;
        Capacity = options.Capacity;
        Overflow = options.Overflow;
        WaitTimeout = options.WaitTimeout;
        Name = options.Name;
        string? template = Array.Find(patterns, p => !p.IsExact)?.ToString();
        Tags = new SubscriberTags(template is null ? Name ?? handler : Name, template);
        CreatedAt = createdAt;
        CallerFile = callerFile;
        CallerLine = callerLine;
        ListensToOwn = Array.Exists(patterns, p => TopicRules.IsOwn(p.Segments[0]));
    }

    public long Id { get; }

    /// <summary>What it listens to; at least one, each once.</summary>
    public TopicPattern[] Patterns { get; }

    public Type EventType { get; }

    public int Capacity { get; }

    public OverflowPolicy Overflow { get; }

    public TimeSpan WaitTimeout { get; }

    public string? Name { get; }

    /// <summary>How metrics tell it from others.</summary>
    public SubscriberTags Tags { get; }

    public DateTimeOffset CreatedAt { get; }

    public string CallerFile { get; }

    public int CallerLine { get; }

    /// <summary>Whether it can get the bus's own events.</summary>
    public bool ListensToOwn { get; }

    /// <summary>The one exact topic it listens to, whose completion ends it; null if there are more or wildcards.</summary>
    public string? OnlyTopic => Patterns is [{ IsExact: true } only] ? only.ToString() : null;

    /// <summary>The patterns as the user gave them.</summary>
    public string[] PatternNames() => Array.ConvertAll(Patterns, p => p.ToString());

    /// <summary>What the reader is thrown whose channel an event on a topic has closed.</summary>
    public SubscriptionOverflowException OverflowOn(string topic) => new(
        $"The subscription to {this} overflowed and was closed: {Capacity} events waited to be read when one more was published to " +
        $"\"{topic}\". Read faster, allow a greater {nameof(SubscriptionOptions.Capacity)}, or choose an overflow policy that drops events " +
        $"instead of {nameof(OverflowPolicy)}.{nameof(OverflowPolicy.Close)}.")
    {
        Topic = topic,
    };

    /// <summary>For messages.</summary>
    /// <returns>The patterns and the name.</returns>
    public override string ToString()
    {
        string patterns = string.Join(", ", Patterns.Select(p => $"\"{p}\""));
        return Name is null ? patterns : $"{patterns} ({Name})";
    }
}
