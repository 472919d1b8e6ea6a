using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace EventBus.Routing;

/// <summary>The routes of topics that were published to lately. Read without a lock; written under the registry's.</summary>
/// <remarks>
/// <para>
/// In front of the dictionary stands a small table of the topics used last, indexed by a few characters: comparing one string
/// costs a quarter of hashing it. A reader may put an entry there that was dropped meanwhile, so a dropped entry gives its route
/// up: what is left of it leads back to the dictionary, and holds no channel.
/// </para>
/// <para>
/// A route that is found was dropped for nobody's sake who joined or left, and none of the patterns that are new since it was built
/// matches its topic. The latter is only looked at when it is used, by whoever uses it.
/// </para>
/// </remarks>
internal sealed class RouteCache
{
    /// <summary>The contract's bound.</summary>
    public const int MaxRoutes = 8192;

    private const int RecentEntries = 64;
    private readonly ConcurrentDictionary<string, CachedRoute> _entries = new(concurrencyLevel: 1, capacity: 31);
    private readonly CachedRoute?[] _recent = new CachedRoute?[RecentEntries];
    private readonly NewPatterns _newPatterns = new();

    public bool TryGet(string topic, [NotNullWhen(true)] out TopicRoute? route)
    {
        ref CachedRoute? recent = ref _recent[RecentIndexOf(topic)];
        CachedRoute? entry = Volatile.Read(ref recent);
        route = entry?.Route;
        if (route is null || route.Origin.Topic != topic)
        {
            route = _entries.TryGetValue(topic, out entry) ? entry.Route : null;
            if (route is null)
                return false;
            Volatile.Write(ref recent, entry);
        }

        long last = _newPatterns.Last;
        if (entry!.ComparedUpTo != last)
        {
            if (_newPatterns.MayMatch(topic, entry.ComparedUpTo, last))
            {
                route = null;
                return false;
            }

            entry.ComparedUpTo = last;
        }

        // Written only when it changes, so that publishers do not fight for the cache line.
        if (!entry.IsUsed)
            entry.IsUsed = true;
        return true;
    }

    /// <summary>Adds a route that was built now, instead of the one there was.</summary>
    public CachedRoute Add(string topic, TopicRoute route)
    {
        if (_entries.TryGetValue(topic, out CachedRoute? old))
            old.Drop();
        else if (_entries.Count >= MaxRoutes)
            MakeRoom();
        CachedRoute entry = new(route, _newPatterns.Last);
        _entries[topic] = entry;
        return entry;
    }

    public void Remove(string topic)
    {
        if (_entries.TryRemove(topic, out CachedRoute? entry))
            entry.Drop();
    }

    /// <summary>A pattern that nobody listened to before is listened to from now on.</summary>
    public void PatternAdded(TopicPattern pattern) => _newPatterns.Add(pattern);

    private static int RecentIndexOf(string topic)
    {
        int length = topic.Length;
        return length == 0 ? 0 : ((topic[length - 1] * 31) + (topic[length / 2] * 7) + length) & (RecentEntries - 1);
    }

    /// <summary>
    /// Drops what was not used since the last time (CLOCK, an approximation of least recently used), at least a quarter, so that
    /// the cost of looking at all is shared by thousands of additions.
    /// </summary>
    private void MakeRoom()
    {
        const int target = MaxRoutes * 3 / 4;
        foreach ((string topic, CachedRoute entry) in _entries)
        {
            if (!entry.IsUsed || entry.Route is null)
                Remove(topic);
            entry.IsUsed = false;
        }

        int tooMany = _entries.Count - target;
        foreach ((string topic, _) in _entries)
        {
            if (tooMany-- <= 0)
                return;
            Remove(topic);
        }
    }
}

/// <summary>An entry of the cache, known to the patterns whose members its route has, so that they can drop it.</summary>
/// <remarks>Made and dropped under the registry's lock; read, and marked as used and compared, without one.</remarks>
internal sealed class CachedRoute(TopicRoute route, long comparedUpTo)
{
    private volatile TopicRoute? _route = route;
    private long _comparedUpTo = comparedUpTo;

    /// <summary>The route; null once it was dropped.</summary>
    public TopicRoute? Route => _route;

    /// <summary>
    /// The last new pattern that is known not to match the topic, or whose members are in the route. Written without a lock: a lost write
    /// costs a comparison, no more.
    /// </summary>
    public long ComparedUpTo
    {
        get => Volatile.Read(ref _comparedUpTo);
        set => Volatile.Write(ref _comparedUpTo, value);
    }

    /// <summary>Whether it was used since room was made last. Written without a lock: a lost write costs a rebuild, no more.</summary>
    public bool IsUsed { get; set; } = true;

    /// <summary>Lets go of the route.</summary>
    public void Drop() => _route = null;
}
