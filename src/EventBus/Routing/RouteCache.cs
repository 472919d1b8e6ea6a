using System.Collections.Concurrent;

namespace EventBus.Routing;

/// <summary>The routes of topics that were published to lately. Read without a lock; written under the registry's.</summary>
internal sealed class RouteCache
{
    /// <summary>The contract's bound.</summary>
    public const int MaxRoutes = 8192;

    private readonly ConcurrentDictionary<string, TopicRoute> _routes = new(concurrencyLevel: 1, capacity: 31);

    /// <summary>Entries in <see cref="_routes"/>; its own count would take all its locks.</summary>
    private int _count;

    public bool TryGet(string topic, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TopicRoute? route) =>
        _routes.TryGetValue(topic, out route);

    public void Add(string topic, TopicRoute route)
    {
        if (_count >= MaxRoutes)
            MakeRoom();
        if (_routes.TryAdd(topic, route))
            _count++;
    }

    public void Remove(string topic)
    {
        if (_routes.TryRemove(topic, out _))
            _count--;
    }

    /// <summary>
    /// Drops what was not used since the last time (CLOCK, an approximation of least recently used), at least a quarter, so that
    /// the cost of looking at all is shared by thousands of additions.
    /// </summary>
    private void MakeRoom()
    {
        const int target = MaxRoutes * 3 / 4;
        foreach ((string topic, TopicRoute route) in _routes)
        {
            if (!route.IsUsed)
                Remove(topic);
            route.IsUsed = false;
        }

        if (_count <= target)
            return;
        foreach ((string topic, _) in _routes)
        {
            Remove(topic);
            if (_count <= target)
                return;
        }
    }
}
