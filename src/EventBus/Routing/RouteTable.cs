using System.Diagnostics.CodeAnalysis;
using EventBus.Delivery;
using EventBus.History;

namespace EventBus.Routing;

/// <summary>Which groups listen to what, and the routes that follow from it.</summary>
/// <remarks>
/// <para>
/// <see cref="Gate"/> guards everything but the reading of the caches, and every route that is found in them is the one that would be built
/// now: a group that comes or goes drops, before the gate is free, the routes it concerns. An exact topic concerns one; a pattern's groups
/// know the routes they are in (<see cref="PatternGroups"/>); and a pattern that is new is left for whoever uses a route next to compare
/// (<see cref="NewPatterns"/>). The next publish to a topic rebuilds its route.
/// </para>
/// <para>
/// Out of memory leaves things as they were: a join takes place as a whole or not at all, a leave needs none, and a topic whose groups
/// there is no array for has its events offered to one after the other (<see cref="LockedWalk"/>).
/// </para>
/// </remarks>
internal sealed class RouteTable
{
    private readonly HistoryStore _history;
    private readonly Dictionary<string, GroupSet> _topics = new(StringComparer.Ordinal);
    private readonly PatternTrie _patterns = new();
    private readonly RouteBuilder _builder;
    private readonly RouteCache _routes = new();

    /// <summary>
    /// The routes of the topics that the bus itself publishes to: apart, so that they push out no user's, nor are found by who may not
    /// publish to them.
    /// </summary>
    private readonly RouteCache _ownRoutes = new();

    /// <summary>Creates a table.</summary>
    /// <param name="history">Where a topic's history rule is known.</param>
    /// <param name="newArray">Makes arrays of groups; null: as usual.</param>
    public RouteTable(HistoryStore history, Func<int, SubscriberGroup[]>? newArray = null)
    {
        _history = history;
        _builder = new RouteBuilder(newArray ?? (static length => new SubscriberGroup[length]));
    }

    /// <summary>Held by who joins and leaves, and over <see cref="LockedWalk"/>. Inside it only groups and channels are locked.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Exact topics that somebody listens to. Under the gate.</summary>
    public int LockedTopics => _topics.Count;

    /// <summary>The route of a user's topic that was published to lately.</summary>
    public bool TryGet(string topic, [NotNullWhen(true)] out TopicRoute? route) => _routes.TryGet(topic, out route);

    /// <summary>The route of a valid topic, kept for the next publish if it is a user's.</summary>
    public TopicRoute Get(string topic) =>
        TryGet(topic, out TopicRoute? route) ? route : Build(topic, TopicRules.IsOwn(topic) ? null : _routes);

    /// <summary>The route of a topic that the bus itself publishes to.</summary>
    public TopicRoute GetOwn(string topic) => _ownRoutes.TryGet(topic, out TopicRoute? route) ? route : Build(topic, _ownRoutes);

    /// <summary>Those a topic's events go to, each once, without an array of them. The gate is to be held until the last.</summary>
    public IEnumerable<SubscriberGroup> LockedWalk(string topic)
    {
        try
        {
            LockedMatch(topic);
            foreach (SubscriberGroup group in _builder.Walk())
                yield return group;
        }
        finally
        {
            _builder.Clear();
        }
    }

    /// <summary>Lets a group listen to all of its patterns, or to none if there is no memory for it.</summary>
    public void LockedAdd(SubscriberGroup group)
    {
        int joined = 0;
        try
        {
            for (; joined < group.Profile.Patterns.Length; joined++)
                LockedAdd(group.Profile.Patterns[joined], group);
        }
        catch
        {
            LockedRemove(group, joined);
            throw;
        }
    }

    /// <summary>Takes a group from all of its patterns.</summary>
    public void LockedRemove(SubscriberGroup group) => LockedRemove(group, group.Profile.Patterns.Length);

    /// <summary>Lets a group listen to one of its patterns; if there is no memory for it, nothing has changed.</summary>
    private void LockedAdd(TopicPattern pattern, SubscriberGroup group)
    {
        string topic = pattern.ToString();
        if (!pattern.IsExact)
        {
            if (_patterns.Add(pattern, group))
                LockedCacheOf(topic).PatternAdded(pattern);
            return;
        }

        if (_topics.TryGetValue(topic, out GroupSet? groups))
        {
            groups.Add(group);
        }
        else
        {
            groups = new GroupSet();
            groups.Add(group);
            _topics.Add(topic, groups);
        }

        LockedCacheOf(topic).Remove(topic);
    }

    /// <summary>Takes a group from as many of its patterns as it listens to.</summary>
    private void LockedRemove(SubscriberGroup group, int patterns)
    {
        foreach (TopicPattern pattern in group.Profile.Patterns.AsSpan(0, patterns))
        {
            if (!pattern.IsExact)
            {
                _patterns.Remove(pattern, group);
                continue;
            }

            string topic = pattern.ToString();
            GroupSet groups = _topics[topic];
            groups.Remove(group);
            if (groups.Count == 0)
            {
                _topics.Remove(topic);
                _topics.Shrink();
            }

            LockedCacheOf(topic).Remove(topic);
        }
    }

    /// <summary>The cache for a topic, or for the topics of a pattern: none matches both the bus's own and others.</summary>
    private RouteCache LockedCacheOf(string pattern) => TopicRules.IsOwn(pattern) ? _ownRoutes : _routes;

    private TopicRoute Build(string topic, RouteCache? cache)
    {
        lock (Gate)
        {
            // Somebody may have built it while this one waited.
            if (cache is not null && cache.TryGet(topic, out TopicRoute? known))
                return known;
            try
            {
                LockedMatch(topic);
                TopicRoute route = new(topic, LockedGroups(), _history.RuleOf(topic));
                if (cache is not null && route.HasGroups)
                    LockedKeep(cache, route);
                return route;
            }
            finally
            {
                _builder.Clear();
            }
        }
    }

    private void LockedMatch(string topic)
    {
        if (_topics.TryGetValue(topic, out GroupSet? exact))
            _builder.Add(exact);
        _patterns.Match(topic, _builder);
    }

    private SubscriberGroup[]? LockedGroups()
    {
        try
        {
            return _builder.ToArray();
        }
        catch (OutOfMemoryException)
        {
            return null;
        }
    }

    private void LockedKeep(RouteCache cache, TopicRoute route)
    {
        string topic = route.Origin.Topic;
        try
        {
            _builder.Note(cache.Add(topic, route));
        }
        catch (OutOfMemoryException)
        {
            // It serves once. Kept, it might not be dropped when it has to be.
            cache.Remove(topic);
        }
    }
}
