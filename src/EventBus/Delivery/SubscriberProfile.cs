using System.Collections.ObjectModel;
using EventBus.Diagnostics;

namespace EventBus.Delivery;

/// <summary>What does not change about a subscriber, and is the same for all that were made at one place with the same options.</summary>
internal sealed class SubscriberProfile
{
    private readonly string? _handler;

    public SubscriberProfile(
        IChannelOwner owner,
        TopicPattern[] patterns,
        Type eventType,
        SubscriptionOptions options,
        string callerFile,
        int callerLine,
        string? handler = null)
    {
        _handler = handler;
        Owner = owner;
        Patterns = patterns;
        PatternNames = Array.AsReadOnly(Array.ConvertAll(patterns, p => p.ToString()));
        Key = patterns.Length == 1 ? patterns[0].ToString() : KeyOf(PatternNames)!;
        EventType = eventType;
        Capacity = options.Capacity;
        Overflow = options.Overflow;
        WaitTimeout = options.WaitTimeout;
        Name = options.Name;
        string? template = Array.Find(patterns, p => !p.IsExact)?.ToString();
        Tags = new SubscriberTags(template is null ? Name ?? handler : Name, template);
        CallerFile = callerFile;
        CallerLine = callerLine;
        ListensToOwn = Array.Exists(patterns, p => TopicRules.IsOwn(p.ToString()));
    }

    /// <summary>The bus it belongs to.</summary>
    public IChannelOwner Owner { get; }

    /// <summary>What it listens to; at least one, each once.</summary>
    public TopicPattern[] Patterns { get; }

    public Type EventType { get; }

    public int Capacity { get; }

    public OverflowPolicy Overflow { get; }

    public TimeSpan WaitTimeout { get; }

    public string? Name { get; }

    /// <summary>How metrics tell it from others.</summary>
    public SubscriberTags Tags { get; }

    public string CallerFile { get; }

    public int CallerLine { get; }

    /// <summary>Whether it can get the bus's own events.</summary>
    public bool ListensToOwn { get; }

    /// <summary>The one exact topic it listens to, whose completion ends it; null if there are more or wildcards.</summary>
    public string? OnlyTopic => Patterns is [{ IsExact: true } only] ? only.ToString() : null;

    /// <summary>The patterns as the user gave them.</summary>
    public ReadOnlyCollection<string> PatternNames { get; }

    /// <summary>What groups are known by, besides the type: the patterns in one string.</summary>
    public string Key { get; }

    /// <summary>The patterns in one string; null if that cannot be, as one has the separator in it, and so is not valid.</summary>
    public static string? KeyOf(IReadOnlyCollection<string> patterns)
    {
        const char separator = '\n';
        if (patterns.Count > 1)
        {
            return patterns.Any(p => p is null || p.Contains(separator, StringComparison.Ordinal))
                ? null
                : string.Join(separator, patterns.Distinct(StringComparer.Ordinal));
        }

        // Apart, as it is the usual one, and costs nothing.
        string only = patterns.First();
        return only is null || only.Contains(separator, StringComparison.Ordinal) ? null : only;
    }

    /// <summary>Whether a subscriber to the same patterns and type is no different from this one.</summary>
    public bool Fits(SubscriptionOptions options, string callerFile, int callerLine, string? handler) =>
        Capacity == options.Capacity && Overflow == options.Overflow && WaitTimeout == options.WaitTimeout && Name == options.Name
        && CallerLine == callerLine && CallerFile == callerFile && _handler == handler;

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
