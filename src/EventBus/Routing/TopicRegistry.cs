using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>Who listens to what.</summary>
/// <remarks>
/// <para>
/// The gate of the <see cref="RouteTable"/> guards everything here, too, so that a channel joins in one step: it is live and listens, or, if
/// there is no memory for it, neither.
/// </para>
/// <para>
/// <see cref="_channels"/> holds every channel that is live or unread; <see cref="_live"/> counts the live ones. What became of the
/// events of the others is in <see cref="_finishedCounts"/>, so that no event is counted twice or not at all.
/// </para>
/// </remarks>
internal sealed class TopicRegistry
{
    private readonly int _maxSubscriptions;
    private readonly RouteTable _routes;
    private readonly MemberSet _channels = new();
    private int _live;
    private volatile bool _isClosed;

    /// <summary>What became of the events of channels that are forgotten.</summary>
    private ChannelCounts _finishedCounts;

    public TopicRegistry(int maxSubscriptions, RouteTable routes)
    {
        _maxSubscriptions = maxSubscriptions;
        _routes = routes;
    }

    /// <summary>Whether the bus has ended.</summary>
    public bool IsClosed => _isClosed;

    /// <inheritdoc cref="RouteTable.Get"/>
    public TopicRoute GetRoute(string topic) => _routes.Get(topic);

    /// <summary>Lets a channel in: it gets what is published after this returns.</summary>
    /// <exception cref="InvalidOperationException">There are too many.</exception>
    /// <exception cref="ObjectDisposedException">The registry is closed.</exception>
    public void Join(SubscriberChannel channel)
    {
        lock (_routes.Gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, typeof(IEventBus));
            if (_live == _maxSubscriptions)
            {
                throw new InvalidOperationException(
                    $"There are {_live} live subscriptions, as many as {nameof(EventBusOptions)}.{nameof(EventBusOptions.MaxSubscriptions)} " +
                    "allows. Dispose subscriptions that are no longer read, or raise the limit if you need as many.");
            }

            _channels.Add(channel);
            try
            {
                _routes.LockedJoin(channel);
            }
            catch
            {
                _channels.Remove(channel);
                throw;
            }

            _live++;
            channel.IsJoined = true;
        }
    }

    /// <summary>A channel that ends at once is only remembered for its statistics.</summary>
    public void JoinEnded(SubscriberChannel channel)
    {
        lock (_routes.Gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, typeof(IEventBus));
            _channels.Add(channel);
        }
    }

    /// <summary>A channel takes no more events.</summary>
    public void Leave(SubscriberChannel channel)
    {
        lock (_routes.Gate)
        {
            if (!channel.IsJoined)
                return;
            channel.IsJoined = false;
            _live--;
            _routes.LockedLeave(channel);
        }
    }

    /// <summary>Forgets a channel that has ended and is empty, except for what became of its events.</summary>
    public void Forget(SubscriberChannel channel)
    {
        lock (_routes.Gate)
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
        lock (_routes.Gate)
        {
            _isClosed = true;
            return LockedLive();
        }
    }

    /// <summary>The live channels.</summary>
    public List<SubscriberChannel> Live()
    {
        lock (_routes.Gate)
            return LockedLive();
    }

    /// <summary>The registry's part of the statistics.</summary>
    public EventBusStatistics Statistics()
    {
        lock (_routes.Gate)
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
                Topics = _routes.LockedTopics,
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
}
