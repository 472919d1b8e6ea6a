using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>
/// The subscriptions of one topic or pattern: joining and leaving cost O(1), and what left takes up no memory. Not thread-safe: the
/// registry's lock guards it.
/// </summary>
internal sealed class MemberSet
{
    private readonly HashSet<SubscriberChannel> _channels = [];

    public int Count => _channels.Count;

    /// <summary>Adds a channel; if there is no memory for it, the set is as it was.</summary>
    public void Add(SubscriberChannel channel) => _channels.Add(channel);

    public void Remove(SubscriberChannel channel)
    {
        if (_channels.Remove(channel))
            _channels.Shrink();
    }

    public void CopyTo(SubscriberChannel[] channels) => _channels.CopyTo(channels);

    public HashSet<SubscriberChannel>.Enumerator GetEnumerator() => _channels.GetEnumerator();
}
