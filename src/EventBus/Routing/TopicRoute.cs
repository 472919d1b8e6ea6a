using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>Where a topic's events go: its exact members and those of all matching patterns, each once. Immutable.</summary>
/// <remarks>
/// The registry drops a route as soon as one of its members leaves or another one joins. A publish that had taken it before
/// offers the event to a channel that has ended, which refuses it.
/// </remarks>
internal sealed class TopicRoute
{
    public TopicRoute(string topic, SubscriberChannel[] members, int historyRule)
    {
        Origin = new EventOrigin(topic);
        Members = members;
        HistoryRule = historyRule;
    }

    public EventOrigin Origin { get; }

    public SubscriberChannel[] Members { get; }

    /// <summary>The index of the history rule that holds for the topic; below 0: none.</summary>
    public int HistoryRule { get; }

    public bool KeepsHistory => HistoryRule >= 0;
}

/// <summary>Collects the members of a route, each once. Guarded by the registry's lock.</summary>
internal sealed class RouteBuilder
{
    private readonly List<MemberSet> _sets = [];

    /// <summary>The number of the route being built; a channel that carries it is in already.</summary>
    private long _mark;

    public void Add(MemberSet members) => _sets.Add(members);

    /// <summary>The channels of all sets added since the last call.</summary>
    public SubscriberChannel[] Build()
    {
        // Most topics have one set, and it may be large: then its channels are copied once and need not be looked at.
        SubscriberChannel[] members = _sets is [{ } only] ? only.ToArray() : Merge();
        _sets.Clear();
        return members;
    }

    private SubscriberChannel[] Merge()
    {
        SubscriberChannel[] members = new SubscriberChannel[_sets.Sum(s => s.Count)];
        int count = 0;
        _mark++;
        foreach (MemberSet set in _sets)
        {
            foreach (SubscriberChannel channel in set)
            {
                if (channel.RouteMark == _mark)
                    continue;
                channel.RouteMark = _mark;
                members[count++] = channel;
            }
        }

        return count == members.Length ? members : members[..count];
    }
}
