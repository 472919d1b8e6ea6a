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

    public void Add(SubscriberChannel channel) => _channels.Add(channel);

    public void Remove(SubscriberChannel channel)
    {
        // Shrinking to half when three quarters are free costs a constant share of the leaves that led there.
        if (_channels.Remove(channel) && _channels.Capacity > 16 && _channels.Count * 4 < _channels.Capacity)
            _channels.TrimExcess(_channels.Count * 2);
    }

    public SubscriberChannel[] ToArray()
    {
        SubscriberChannel[] channels = new SubscriberChannel[_channels.Count];
        _channels.CopyTo(channels);
        return channels;
    }

    public HashSet<SubscriberChannel>.Enumerator GetEnumerator() => _channels.GetEnumerator();
}
