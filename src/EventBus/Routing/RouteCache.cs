using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace EventBus.Routing;

/// <summary>The routes of topics that were published to lately. Read without a lock; written under the registry's.</summary>
/// <remarks>
/// In front of the dictionary stands a small table of the topics used last, indexed by a few characters: comparing one string
/// costs a quarter of hashing it. A reader may put a cell there that was dropped meanwhile, so a dropped cell gives its route
/// up: what is left of it leads back to the dictionary, and holds no channel.
/// </remarks>
internal sealed class RouteCache
{
    /// <summary>The contract's bound.</summary>
    public const int MaxRoutes = 8192;

    private const int RecentCells = 64;
    private readonly ConcurrentDictionary<string, Cell> _cells = new(concurrencyLevel: 1, capacity: 31);
    private readonly Cell?[] _recent = new Cell?[RecentCells];

    /// <summary>Entries in <see cref="_cells"/>; its own count would take all its locks.</summary>
    private int _count;

    public bool TryGet(string topic, [NotNullWhen(true)] out TopicRoute? route)
    {
        ref Cell? recent = ref _recent[RecentIndexOf(topic)];
        Cell? cell = Volatile.Read(ref recent);
        route = cell?.Route;
        if (route is null || route.Origin.Topic != topic)
        {
            if (!_cells.TryGetValue(topic, out cell))
            {
                route = null;
                return false;
            }

            Volatile.Write(ref recent, cell);
            route = cell.Route;
        }

        // Written only when it changes, so that publishers do not fight for the cache line.
        if (!cell!.IsUsed)
            cell.IsUsed = true;
        return route is not null;
    }

    public void Add(string topic, TopicRoute route)
    {
        if (_count >= MaxRoutes)
            MakeRoom();
        if (_cells.TryAdd(topic, new Cell(route)))
            _count++;
    }

    public void Remove(string topic)
    {
        if (!_cells.TryRemove(topic, out Cell? cell))
            return;
        cell.Route = null;
        _count--;
    }

    private static int RecentIndexOf(string topic)
    {
        int length = topic.Length;
        return length == 0 ? 0 : ((topic[length - 1] * 31) + (topic[length / 2] * 7) + length) & (RecentCells - 1);
    }

    /// <summary>
    /// Drops what was not used since the last time (CLOCK, an approximation of least recently used), at least a quarter, so that
    /// the cost of looking at all is shared by thousands of additions.
    /// </summary>
    private void MakeRoom()
    {
        const int target = MaxRoutes * 3 / 4;
        foreach ((string topic, Cell cell) in _cells)
        {
            if (!cell.IsUsed)
                Remove(topic);
            cell.IsUsed = false;
        }

        if (_count <= target)
            return;
        foreach ((string topic, _) in _cells)
        {
            Remove(topic);
            if (_count <= target)
                return;
        }
    }

    /// <summary>A route in the cache.</summary>
    private sealed class Cell(TopicRoute route)
    {
        private volatile TopicRoute? _route = route;

        /// <summary>The route; null once it was dropped.</summary>
        public TopicRoute? Route
        {
            get => _route;
            set => _route = value;
        }

        /// <summary>Whether it was used since room was made last. Written without a lock: a lost write costs a rebuild, no more.</summary>
        public bool IsUsed { get; set; } = true;
    }
}
