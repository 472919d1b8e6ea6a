using System.Diagnostics.CodeAnalysis;
using EventBus.Delivery;
using EventBus.History;

namespace EventBus.Routing;

/// <summary>Which channels listen to what, and the routes that follow from it.</summary>
/// <remarks>
/// <para>
/// <see cref="Gate"/> guards everything but the reading of the caches, and every route that is found in them is the one that would be built
/// now: who joins or leaves drops, before the gate is free, the routes it concerns. An exact topic concerns one; a pattern's members
/// know the routes they are in (<see cref="PatternMembers"/>); and a pattern that is new is left for whoever uses a route next to compare
/// (<see cref="NewPatterns"/>). The next publish to a topic rebuilds its route as part of a fan-out that has to touch every member anyway.
/// </para>
/// <para>
/// Out of memory leaves things as they were: a join takes place as a whole or not at all, a leave needs none, and a topic whose members
/// there is no array for has its events offered to one after the other (<see cref="LockedWalk"/>).
/// </para>
/// </remarks>
internal sealed class RouteTable
{
    private readonly HistoryStore _history;
    private readonly Dictionary<string, MemberSet> _topics = new(StringComparer.Ordinal);
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
    /// <param name="newArray">Makes arrays of members; null: as usual.</param>
    public RouteTable(HistoryStore history, Func<int, SubscriberChannel[]>? newArray = null)
    {
        _history = history;
        _builder = new RouteBuilder(newArray ?? (static length => new SubscriberChannel[length]));
    }

    /// <summary>Held by who joins and leaves, and over <see cref="LockedWalk"/>. Inside it only channels are locked.</summary>
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
    public IEnumerable<SubscriberChannel> LockedWalk(string topic)
    {
        try
        {
            LockedMatch(topic);
            foreach (SubscriberChannel channel in _builder.Walk())
                yield return channel;
        }
        finally
        {
            _builder.Clear();
        }
    }

    /// <summary>Lets a channel listen to all of its patterns, or to none if there is no memory for it.</summary>
    public void LockedJoin(SubscriberChannel channel)
    {
        int joined = 0;
        try
        {
            for (; joined < channel.Profile.Patterns.Length; joined++)
                LockedAdd(channel.Profile.Patterns[joined], channel);
        }
        catch
        {
            LockedRemove(channel, joined);
            throw;
        }
    }

    /// <summary>Takes a channel from all of its patterns.</summary>
    public void LockedLeave(SubscriberChannel channel) => LockedRemove(channel, channel.Profile.Patterns.Length);

    /// <summary>Lets a channel listen to one of its patterns; if there is no memory for it, nothing has changed.</summary>
    private void LockedAdd(TopicPattern pattern, SubscriberChannel channel)
    {
        string topic = pattern.ToString();
        if (!pattern.IsExact)
        {
            if (_patterns.Add(pattern, channel))
                LockedCacheOf(topic).PatternAdded(pattern);
            return;
        }

        if (_topics.TryGetValue(topic, out MemberSet? members))
        {
            members.Add(channel);
        }
        else
        {
            members = new MemberSet();
            members.Add(channel);
            _topics.Add(topic, members);
        }

        LockedCacheOf(topic).Remove(topic);
    }

    /// <summary>Takes a channel from as many of its patterns as it listens to.</summary>
    private void LockedRemove(SubscriberChannel channel, int patterns)
    {
        foreach (TopicPattern pattern in channel.Profile.Patterns.AsSpan(0, patterns))
        {
            if (!pattern.IsExact)
            {
                _patterns.Remove(pattern, channel);
                continue;
            }

            string topic = pattern.ToString();
            MemberSet members = _topics[topic];
            members.Remove(channel);
            if (members.Count == 0)
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
                TopicRoute route = new(topic, LockedMembers(), _history.RuleOf(topic));
                if (cache is not null && route.HasMembers)
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
        if (_topics.TryGetValue(topic, out MemberSet? exact))
            _builder.Add(exact);
        _patterns.Match(topic, _builder);
    }

    private SubscriberChannel[]? LockedMembers()
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
