using EventBus.Delivery;
using EventBus.History;

namespace EventBus.Routing;

/// <summary>Who listens to what.</summary>
/// <remarks>
/// <para>
/// <see cref="_gate"/> guards everything but the reading of <see cref="_routes"/>, and every route in the cache is the one that
/// would be built now: who joins or leaves drops, before the gate is free, all routes it concerns. A join to an exact topic
/// concerns one; a join to a pattern may concern any, so the whole cache is replaced by an empty one. Both are O(1), and the next
/// publish to a topic rebuilds its route as part of a fan-out that has to touch every member anyway.
/// </para>
/// <para>
/// <see cref="_channels"/> holds every channel that is live or unread; <see cref="_live"/> counts the live ones. What became of the
/// events of the others is in <see cref="_finishedCounts"/>, so that no event is counted twice or not at all.
/// </para>
/// </remarks>
internal sealed class TopicRegistry
{
    private readonly Lock _gate = new();
    private readonly int _maxSubscriptions;
    private readonly HistoryStore _history;
    private readonly Dictionary<string, MemberSet> _topics = new(StringComparer.Ordinal);
    private readonly PatternTrie _patterns = new();
    private readonly RouteBuilder _builder = new();
    private readonly MemberSet _channels = new();
    private volatile RouteCache _routes = new();
    private int _live;
    private volatile bool _isClosed;

    /// <summary>What became of the events of channels that are forgotten.</summary>
    private ChannelCounts _finishedCounts;

    public TopicRegistry(int maxSubscriptions, HistoryStore history)
    {
        _maxSubscriptions = maxSubscriptions;
        _history = history;
    }

    /// <summary>Whether the bus has ended.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>The route of a topic that was published to lately.</summary>
    public bool TryGetRoute(string topic, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TopicRoute? route) =>
        _routes.TryGet(topic, out route);

    /// <summary>The route of a valid topic.</summary>
    public TopicRoute GetRoute(string topic) => TryGetRoute(topic, out TopicRoute? route) ? route : BuildRoute(topic);

    /// <summary>Lets a channel in: it gets what is published after this returns.</summary>
    /// <exception cref="InvalidOperationException">There are too many.</exception>
    /// <exception cref="ObjectDisposedException">The registry is closed.</exception>
    public void Join(SubscriberChannel channel)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, typeof(IEventBus));
            if (_live == _maxSubscriptions)
            {
                throw new InvalidOperationException(
                    $"There are {_live} live subscriptions, as many as {nameof(EventBusOptions)}.{nameof(EventBusOptions.MaxSubscriptions)} " +
                    "allows. Dispose subscriptions that are no longer read, or raise the limit if you need as many.");
            }

            _live++;
            channel.IsJoined = true;
            _channels.Add(channel);
            foreach (TopicPattern pattern in channel.Profile.Patterns)
            {
                if (!pattern.IsExact)
                {
                    _patterns.Add(pattern, channel);
                    continue;
                }

                string topic = pattern.ToString();
                if (!_topics.TryGetValue(topic, out MemberSet? members))
                    _topics.Add(topic, members = new MemberSet());
                members.Add(channel);
            }

            DropRoutes(channel);
        }
    }

    /// <summary>A channel that ends at once is only remembered for its statistics.</summary>
    public void JoinEnded(SubscriberChannel channel)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, typeof(IEventBus));
            _channels.Add(channel);
        }
    }

    /// <summary>A channel takes no more events.</summary>
    public void Leave(SubscriberChannel channel)
    {
        lock (_gate)
        {
            if (!channel.IsJoined)
                return;
            channel.IsJoined = false;
            _live--;
            foreach (TopicPattern pattern in channel.Profile.Patterns)
            {
                if (!pattern.IsExact)
                {
                    _patterns.Remove(pattern, channel);
                    continue;
                }

                string topic = pattern.ToString();
                if (!_topics.TryGetValue(topic, out MemberSet? members))
                    continue;
                members.Remove(channel);
                if (members.Count > 0)
                    continue;
                _topics.Remove(topic);
                if (_topics.Capacity > 64 && _topics.Count * 4 < _topics.Capacity)
                    _topics.TrimExcess(_topics.Count * 2);
            }

            DropRoutes(channel);
        }
    }

    /// <summary>Forgets a channel that has ended and is empty, except for what became of its events.</summary>
    public void Forget(SubscriberChannel channel)
    {
        lock (_gate)
        {
            ChannelSnapshot last = channel.Snapshot();
            _finishedCounts = _finishedCounts.Plus(last.Counts).Minus(last.OwnCounts);
            _channels.Remove(channel);
        }
    }

    /// <summary>Lets nobody in any more.</summary>
    /// <returns>Those who are in.</returns>
    public List<SubscriberChannel> Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            return LockedLive();
        }
    }

    /// <summary>The live channels.</summary>
    public List<SubscriberChannel> Live()
    {
        lock (_gate)
            return LockedLive();
    }

    /// <summary>The registry's part of the statistics.</summary>
    public EventBusStatistics Statistics()
    {
        lock (_gate)
        {
            ChannelCounts counts = _finishedCounts;
            long queued = 0;
            double highestFill = 0;
            foreach (SubscriberChannel channel in _channels)
            {
                ChannelSnapshot now = channel.Snapshot();
                counts = counts.Plus(now.Counts).Minus(now.OwnCounts);
                queued += now.Count - now.OwnQueued;
                highestFill = Math.Max(highestFill, (double)now.Queued / channel.Profile.Capacity);
            }

            return new EventBusStatistics
            {
                Topics = _topics.Count,
                Subscriptions = _live,
                Delivered = counts.Delivered,
                Dropped = counts.Dropped,
                Discarded = counts.Discarded,
                Queued = queued,
                HighestFill = highestFill,
            };
        }
    }

    private List<SubscriberChannel> LockedLive()
    {
        List<SubscriberChannel> live = new(_live);
        foreach (SubscriberChannel channel in _channels)
        {
            if (channel.IsJoined)
                live.Add(channel);
        }

        return live;
    }

    private TopicRoute BuildRoute(string topic)
    {
        lock (_gate)
        {
            // Somebody may have built it while this one waited.
            if (_routes.TryGet(topic, out TopicRoute? route))
                return route;
            if (_topics.TryGetValue(topic, out MemberSet? members))
                _builder.Add(members);
            _patterns.Match(topic, _builder);
            route = new TopicRoute(topic, _builder.Build(), _history.RuleOf(topic));

            // The bus publishes seldom; its topics must not push out a user's, nor be found here by who may not publish to them.
            if (!route.Origin.IsOwn)
                _routes.Add(topic, route);
            return route;
        }
    }

    /// <summary>Drops every route that a channel is in or should be in.</summary>
    private void DropRoutes(SubscriberChannel channel)
    {
        foreach (TopicPattern pattern in channel.Profile.Patterns)
        {
            if (!pattern.IsExact)
            {
                _routes = new RouteCache();
                return;
            }

            _routes.Remove(pattern.ToString());
        }
    }
}
