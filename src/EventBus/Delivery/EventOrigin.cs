using System.Diagnostics;

namespace EventBus.Delivery;

/// <summary>
/// Where an event comes from: what all events of a topic share. Queued slots point here instead of copying it, and never at a
/// route, which would keep dead subscriptions alive.
/// </summary>
internal class EventOrigin
{
    public EventOrigin(string topic, string? node = null)
    {
        Topic = topic;
        Node = node;
        IsOwn = TopicRules.IsOwn(topic);
    }

    public string Topic { get; }

    /// <summary>The node it was published on; null: this process.</summary>
    public string? Node { get; }

    /// <summary>Whether this is the bus's own traffic, which statistics leave out.</summary>
    public bool IsOwn { get; }
}

/// <summary>The origin of one event whose publisher was being traced; made only while someone listens to spans.</summary>
internal sealed class TracedOrigin : EventOrigin
{
    public TracedOrigin(EventOrigin origin, ActivityContext publisher)
        : base(origin.Topic, origin.Node) => Publisher = publisher;

    /// <summary>The publisher's span, for handlers to link to.</summary>
    public ActivityContext Publisher { get; }
}

/// <summary>What one publish writes beside its event.</summary>
internal readonly record struct Stamp(EventOrigin Origin, long Sequence, long PublishedAtTicks);
