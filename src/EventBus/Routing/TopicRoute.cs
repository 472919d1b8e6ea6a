using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>Where a topic's events go: the groups that listen to it, by name or by a pattern that matches, each once. Immutable.</summary>
/// <remarks>
/// The registry drops a route as soon as one of its groups is empty or another one begins to listen; who joins or leaves a group changes no
/// route. A publish that had taken a route before offers the event to a group that has no members, which is nothing.
/// </remarks>
internal sealed class TopicRoute
{
    private readonly SubscriberGroup[]? _groups;

    /// <summary>Creates a route.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="groups">Its groups, perhaps shared with other routes; null: there is no memory for them.</param>
    /// <param name="historyRule">The index of the topic's history rule; below 0: none.</param>
    public TopicRoute(string topic, SubscriberGroup[]? groups, int historyRule)
    {
        Origin = new EventOrigin(topic);
        _groups = groups;
        HistoryRule = historyRule;
    }

    public EventOrigin Origin { get; }

    /// <summary>Whether its groups are known; else the registry has to be walked for them.</summary>
    public bool HasGroups => _groups is not null;

    /// <exception cref="InvalidOperationException">There was no memory for them.</exception>
    public SubscriberGroup[] Groups => _groups ?? throw NoMemory();

    /// <summary>The index of the history rule that holds for the topic; below 0: none.</summary>
    public int HistoryRule { get; }

    public bool KeepsHistory => HistoryRule >= 0;

    // Apart, so that the groups are found in line.
    private InvalidOperationException NoMemory() => new($"There is not enough memory for a list of the subscribers of \"{Origin.Topic}\".");
}
