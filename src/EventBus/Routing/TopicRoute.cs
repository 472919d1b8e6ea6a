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
    private readonly List<SubscriberChannel> _members = [];

    /// <summary>The number of the route being built; a channel that carries it is in already.</summary>
    private long _mark;

    public void Begin()
    {
        _mark++;
        _members.Clear();
    }

    public void Add(MemberSet members)
    {
        _members.EnsureCapacity(_members.Count + members.Count);
        foreach (SubscriberChannel channel in members)
        {
            if (channel.RouteMark == _mark)
                continue;
            channel.RouteMark = _mark;
            _members.Add(channel);
        }
    }

    public SubscriberChannel[] Build()
    {
        SubscriberChannel[] members = [.. _members];

        // The list must not keep channels that leave, nor the room that one large topic needed.
        _members.Clear();
        if (_members.Capacity > 1024)
            _members.Capacity = 1024;
        return members;
    }
}
