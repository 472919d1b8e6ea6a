using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>The subscriptions to one pattern, and the cached routes that they are in. Not thread-safe: the registry's lock guards it.</summary>
/// <remarks>
/// Invariant: every cached route that has this pattern's members is in <see cref="_routes"/>, so that who joins or leaves drops just
/// those. Dropping a route is paid for by the publish that built it.
/// </remarks>
internal sealed class PatternMembers
{
    private const int FewRoutes = 16;

    /// <summary>The cached routes with these members, and some that were dropped since; null: none.</summary>
    private List<CachedRoute>? _routes;

    /// <summary>How many routes there may be until the dropped ones among them are looked for.</summary>
    private int _mostRoutes = FewRoutes;

    public MemberSet Channels { get; } = new();

    /// <summary>The members as they are now, for all routes that have no others; null if no route needed it yet.</summary>
    public SubscriberChannel[]? Shared { get; set; }

    /// <summary>Adds a channel; if there is no memory for it, the members are as they were.</summary>
    public void Add(SubscriberChannel channel)
    {
        Channels.Add(channel);
        DropRoutes();
    }

    public void Remove(SubscriberChannel channel)
    {
        Channels.Remove(channel);
        DropRoutes();
    }

    /// <summary>Notes a route to be dropped with the next join or leave.</summary>
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
