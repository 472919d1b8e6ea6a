using System.Runtime.InteropServices;
using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>Who listens to what.</summary>
/// <remarks>
/// <para>
/// The gate of the <see cref="RouteTable"/> guards everything here, too, so that a channel joins in one step: it is live and listens, or, if
/// there is no memory for it, neither.
/// </para>
/// <para>
/// Subscriptions to the same patterns and type are a group. <see cref="_groups"/> has those with a member that is live or unread; only those
/// with a live one are in the routes. What became of the events of all other channels is in <see cref="_finishedCounts"/>, so that no event is
/// counted twice or not at all.
/// </para>
/// </remarks>
internal sealed class TopicRegistry
{
    private readonly int _maxSubscriptions;
    private readonly RouteTable _routes;
    private readonly Dictionary<GroupKey, SubscriberGroup> _groups = [];

    /// <summary>Those that had ended before they could join.</summary>
    private readonly HashSet<SubscriberChannel> _strays = [];
    private int _live;
    private volatile bool _isClosed;

    /// <summary>What became of the events of channels that are forgotten.</summary>
    private ChannelCounts _finishedCounts;

    /// <summary>What groups that are gone have counted.</summary>
    private long _finishedPublished;

    public TopicRegistry(int maxSubscriptions, RouteTable routes)
    {
        _maxSubscriptions = maxSubscriptions;
        _routes = routes;
    }

    /// <summary>Whether the bus has ended.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>Publishes that groups have counted.</summary>
    public long Published
    {
        get
        {
            lock (_routes.Gate)
                return _finishedPublished + _groups.Values.Sum(g => g.Published);
        }
    }

    /// <inheritdoc cref="RouteTable.Get"/>
    public TopicRoute GetRoute(string topic) => _routes.Get(topic);

    /// <summary>What the latest subscriber to the same patterns and type is like; null if there is none.</summary>
    public SubscriberProfile? LatestProfile(string patterns, Type eventType)
    {
        lock (_routes.Gate)
            return _groups.TryGetValue(new GroupKey(patterns, eventType), out SubscriberGroup? group) ? group.Profile : null;
    }

    /// <summary>Lets a channel in: it gets what is published after this returns. One that has ended is not let in.</summary>
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

            SubscriberGroup group = LockedGroupOf(channel);
            try
            {
                if (group.Joined == 0)
                    _routes.LockedAdd(group);
                if (LockedTryJoin(group, channel))
                {
                    group.Profile = channel.Profile;
                    group.Known++;
                    _live++;
                    channel.IsJoined = true;
                }
            }
            finally
            {
                LockedDropIfUnused(group);
            }
        }
    }

    /// <summary>A channel that ends at once is only remembered for its statistics.</summary>
    public void JoinEnded(SubscriberChannel channel)
    {
        lock (_routes.Gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, typeof(IEventBus));
            _strays.Add(channel);
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
            LockedLeave(channel.Group!);
        }
    }

    /// <summary>Forgets a channel that has ended and is empty, except for what became of its events.</summary>
    public void Forget(SubscriberChannel channel)
    {
        lock (_routes.Gate)
        {
            ChannelSnapshot last = channel.Snapshot();
            _finishedCounts = _finishedCounts.Plus(last.Counts).Minus(last.OwnCounts);
            if (channel.Group is not { } group)
            {
                _strays.Remove(channel);
                return;
            }

            group.Forget(channel);
            group.Known--;
            LockedDropIfUnused(group);
        }
    }

    /// <summary>Lets nobody in any more.</summary>
    /// <returns>Those who are in.</returns>
    public List<SubscriberChannel> Close()
    {
        lock (_routes.Gate)
        {
            _isClosed = true;
            return LockedChannels(ended: false);
        }
    }

    /// <summary>The live channels.</summary>
    public List<SubscriberChannel> Live()
    {
        lock (_routes.Gate)
            return LockedChannels(ended: false);
    }

    /// <summary>The registry's part of the statistics.</summary>
    public EventBusStatistics Statistics()
    {
        lock (_routes.Gate)
        {
            ChannelCounts counts = _finishedCounts;
            long queued = 0;
            double highestFill = 0;
            foreach (SubscriberChannel channel in LockedChannels(ended: true).Concat(_strays))
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

    private SubscriberGroup LockedGroupOf(SubscriberChannel channel)
    {
        ref SubscriberGroup? group = ref CollectionsMarshal.GetValueRefOrAddDefault(_groups, KeyOf(channel.Profile), out bool exists);
        if (exists)
            return group!;
        try
        {
            return group = channel.CreateGroup();
        }
        catch
        {
            _groups.Remove(KeyOf(channel.Profile));
            throw;
        }
    }

    /// <summary>Joins a group that the routes know; if there is no memory for it, or the channel has ended, the routes are as they were.</summary>
    private bool LockedTryJoin(SubscriberGroup group, SubscriberChannel channel)
    {
        group.Joined++;
        bool isIn = false;
        try
        {
            group.Join(channel);
            isIn = channel.Group is not null;
        }
        finally
        {
            if (!isIn)
                LockedLeave(group);
        }

        return isIn;
    }

    private void LockedLeave(SubscriberGroup group)
    {
        if (--group.Joined == 0)
            _routes.LockedRemove(group);
    }

    private void LockedDropIfUnused(SubscriberGroup group)
    {
        // A group that was forgotten before its last member left may have a successor.
        GroupKey key = KeyOf(group.Profile);
        if (group.Known > 0 || !_groups.TryGetValue(key, out SubscriberGroup? known) || known != group)
            return;
        _finishedPublished += group.Published;
        _groups.Remove(key);
        _groups.Shrink();
    }

    private static GroupKey KeyOf(SubscriberProfile profile) => new(profile.Key, profile.EventType);

    private List<SubscriberChannel> LockedChannels(bool ended)
    {
        List<SubscriberChannel> channels = new(_live);
        foreach (SubscriberGroup group in _groups.Values)
            group.CopyTo(channels, ended);
        return channels;
    }

    /// <summary>What groups are known by. Not a tuple: what is generic over references costs a join as much again.</summary>
    private readonly record struct GroupKey(string Patterns, Type EventType);
}
