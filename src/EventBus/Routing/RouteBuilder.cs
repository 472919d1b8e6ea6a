using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>Collects the groups of one topic's route, each once. Guarded by the registry's lock.</summary>
/// <remarks>
/// Whatever throws while it is used (a list or an array that there is no memory for), <see cref="Clear"/> leaves nothing of this topic for
/// the next one.
/// </remarks>
/// <param name="newArray">Makes the arrays of groups, which may be large.</param>
internal sealed class RouteBuilder(Func<int, SubscriberGroup[]> newArray)
{
    private readonly List<PatternGroups> _patterns = [];
    private GroupSet? _exact;

    /// <summary>The number of the last route that was built; a group that carries it is in already.</summary>
    private long _mark;

    /// <summary>Adds the groups that listen to this topic.</summary>
    public void Add(GroupSet exact) => _exact = exact;

    /// <summary>Adds the groups that listen to a pattern that matches.</summary>
    public void Add(PatternGroups pattern) => _patterns.Add(pattern);

    public void Clear()
    {
        _exact = null;
        _patterns.Clear();
    }

    /// <summary>The groups that were added, as they are now; the array is not to be changed.</summary>
    public SubscriberGroup[] ToArray()
    {
        // Most topics have one set of groups: then it is copied without being looked at, and a pattern's only once.
        if (_exact is null)
        {
            switch (_patterns)
            {
                case []:
                    return [];
                case [{ } only]:
                    return only.Shared ??= Copy(only.Groups);
            }
        }
        else if (_patterns.Count == 0)
        {
            return Copy(_exact);
        }

        SubscriberGroup[] groups = newArray((_exact?.Count ?? 0) + _patterns.Sum(p => p.Groups.Count));
        int count = 0;
        foreach (SubscriberGroup group in Walk())
            groups[count++] = group;
        if (count == groups.Length)
            return groups;
        SubscriberGroup[] fewer = newArray(count);
        groups.AsSpan(0, count).CopyTo(fewer);
        return fewer;
    }

    /// <summary>The groups that were added, one after the other. The registry's lock is to be held until the last.</summary>
    public IEnumerable<SubscriberGroup> Walk()
    {
        long mark = ++_mark;
        if (_exact is not null)
        {
            foreach (SubscriberGroup group in _exact.All())
            {
                group.RouteMark = mark;
                yield return group;
            }
        }

        foreach (PatternGroups pattern in _patterns)
        {
            foreach (SubscriberGroup group in pattern.Groups.All())
            {
                if (group.RouteMark == mark)
                    continue;
                group.RouteMark = mark;
                yield return group;
            }
        }
    }

    /// <summary>Lets the patterns know a route with their groups, so that a change of them drops it.</summary>
    public void Note(CachedRoute route)
    {
        foreach (PatternGroups pattern in _patterns)
            pattern.Note(route);
    }

    private SubscriberGroup[] Copy(GroupSet only)
    {
        SubscriberGroup[] groups = newArray(only.Count);
        only.CopyTo(groups);
        return groups;
    }
}
