using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>The groups that listen to one pattern, and the cached routes that they are in. Not thread-safe: the registry's lock guards it.</summary>
/// <remarks>
/// Invariant: every cached route that has this pattern's groups is in <see cref="_routes"/>, so that a group that comes or goes drops
/// just those. Dropping a route is paid for by the publish that built it.
/// </remarks>
internal sealed class PatternGroups
{
    private const int FewRoutes = 16;

    /// <summary>The cached routes with these groups, and some that were dropped since; null: none.</summary>
    private List<CachedRoute>? _routes;

    /// <summary>How many routes there may be until the dropped ones among them are looked for.</summary>
    private int _mostRoutes = FewRoutes;

    public GroupSet Groups { get; } = new();

    /// <summary>The groups as they are now, for all routes that have no others; null if no route needed it yet.</summary>
    public SubscriberGroup[]? Shared { get; set; }

    /// <summary>Adds a group; if there is no memory for it, the groups are as they were.</summary>
    public void Add(SubscriberGroup group)
    {
        Groups.Add(group);
        DropRoutes();
    }

    public void Remove(SubscriberGroup group)
    {
        Groups.Remove(group);
        DropRoutes();
    }

    /// <summary>Notes a route to be dropped when the next group comes or goes.</summary>
    public void Note(CachedRoute route)
    {
        _routes ??= [];
        if (_routes.Count >= _mostRoutes)
        {
            // Routes are also dropped for other patterns' sake, and to make room.
            _routes.RemoveAll(r => r.Route is null);
            _mostRoutes = Math.Max(FewRoutes, _routes.Count * 2);
        }

        _routes.Add(route);
    }

    private void DropRoutes()
    {
        Shared = null;
        if (_routes is null)
            return;
        foreach (CachedRoute route in _routes)
            route.Drop();
        _routes = null;
        _mostRoutes = FewRoutes;
    }
}
