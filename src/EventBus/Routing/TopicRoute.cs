using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>Where a topic's events go: its exact members and those of all matching patterns, each once. Immutable.</summary>
/// <remarks>
/// The registry drops a route as soon as one of its members leaves or another one joins. A publish that had taken it before
/// offers the event to a channel that has ended, which refuses it.
/// </remarks>
internal sealed class TopicRoute
{
    private readonly SubscriberChannel[]? _members;

    /// <summary>Creates a route.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="members">Its members, perhaps shared with other routes; null: there is no memory for them.</param>
    /// <param name="historyRule">The index of the topic's history rule; below 0: none.</param>
    public TopicRoute(string topic, SubscriberChannel[]? members, int historyRule)
    {
        Origin = new EventOrigin(topic);
        _members = members;
        HistoryRule = historyRule;
    }

    public EventOrigin Origin { get; }

    /// <summary>Whether its members are known; else the registry has to be walked for them.</summary>
    public bool HasMembers => _members is not null;

    /// <exception cref="InvalidOperationException">There was no memory for them.</exception>
    public SubscriberChannel[] Members => _members ?? throw NoMemory();

    /// <summary>The index of the history rule that holds for the topic; below 0: none.</summary>
    public int HistoryRule { get; }

    public bool KeepsHistory => HistoryRule >= 0;

    // Apart, so that the members are found in line.
    private InvalidOperationException NoMemory() => new($"There is not enough memory for a list of the subscribers of \"{Origin.Topic}\".");
}
