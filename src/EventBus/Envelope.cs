namespace EventBus;

/// <summary>An event as it is delivered: the event itself and what the bus knows about it.</summary>
/// <typeparam name="TEvent">The type the subscription asked for; the event's own type may be a derived one.</typeparam>
/// <param name="Topic">The concrete topic the event was published to, never a pattern.</param>
/// <param name="Event">The event, the same instance for every subscriber: treat it as immutable.</param>
/// <remarks>Deconstructs to topic and event: <c>await foreach (var (topic, e) in subscription)</c>.</remarks>
public readonly record struct Envelope<TEvent>(string Topic, TEvent Event)
{
    // Eight bytes instead of the sixteen of a DateTimeOffset; every envelope is copied on its way out of a channel.
    private readonly long _publishedAtTicks;

    /// <summary>
    /// The event's place in the one order of all events on topics that keep history: bus-wide, strictly growing, started from
    /// the bus's start time in microseconds. 0 on a topic without history.
    /// </summary>
    public long Sequence { get; init; }

    /// <summary>
    /// When the event was published, in UTC: on the system clock good to a few milliseconds, exact with any other
    /// <see cref="TimeProvider"/>.
    /// </summary>
    public DateTimeOffset PublishedAt
    {
        get => new(_publishedAtTicks, TimeSpan.Zero);
        init => _publishedAtTicks = value.UtcTicks;
    }

    /// <summary>The number of events that this subscription lost directly before this one. 0: none.</summary>
    public long Missed { get; init; }

    /// <summary>The node the event was published on; null when it was this process.</summary>
    public string? Node { get; init; }

    /// <summary>The publish time as UTC ticks, for the library's own envelopes.</summary>
    internal long PublishedAtTicks
    {
        get => _publishedAtTicks;
        init => _publishedAtTicks = value;
    }
}
