using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>Collects the members of one topic's route, each once. Guarded by the registry's lock.</summary>
/// <remarks>
/// Whatever throws while it is used (a list or an array that there is no memory for), <see cref="Clear"/> leaves nothing of this topic for
/// the next one.
/// </remarks>
/// <param name="newArray">Makes the arrays of members, which may be large.</param>
internal sealed class RouteBuilder(Func<int, SubscriberChannel[]> newArray)
{
    private readonly List<PatternMembers> _patterns = [];
    private MemberSet? _exact;

    /// <summary>The number of the last route that was built; a channel that carries it is in already.</summary>
    private long _mark;

    /// <summary>Adds those who listen to just this topic.</summary>
    public void Add(MemberSet exact) => _exact = exact;

    /// <summary>Adds those who listen to a pattern that matches.</summary>
    public void Add(PatternMembers pattern) => _patterns.Add(pattern);

    public void Clear()
    {
        _exact = null;
        _patterns.Clear();
    }

    /// <summary>The channels that were added, as they are now; the array is not to be changed.</summary>
    public SubscriberChannel[] ToArray()
    {
        // Most topics have one set of members, and it may be large: then it is copied without being looked at, and a pattern's only once.
        if (_exact is null)
        {
            switch (_patterns)
            {
                case []:
                    return [];
                case [{ } only]:
                    return only.Shared ??= Copy(only.Channels);
            }
        }
        else if (_patterns.Count == 0)
        {
            return Copy(_exact);
        }

        SubscriberChannel[] members = newArray((_exact?.Count ?? 0) + _patterns.Sum(p => p.Channels.Count));
        int count = 0;
        foreach (SubscriberChannel channel in Walk())
            members[count++] = channel;
        if (count == members.Length)
            return members;
        SubscriberChannel[] fewer = newArray(count);
        members.AsSpan(0, count).CopyTo(fewer);
        return fewer;
    }

    /// <summary>The channels that were added, one after the other. The registry's lock is to be held until the last.</summary>
    public IEnumerable<SubscriberChannel> Walk()
    {
        long mark = ++_mark;
        if (_exact is not null)
        {
            foreach (SubscriberChannel channel in _exact)
            {
                channel.RouteMark = mark;
                yield return channel;
            }
        }

        foreach (PatternMembers pattern in _patterns)
        {
            foreach (SubscriberChannel channel in pattern.Channels)
            {
                if (channel.RouteMark == mark)
                    continue;
                channel.RouteMark = mark;
                yield return channel;
            }
        }
    }

    /// <summary>Lets the patterns know a route with their members, so that a change of them drops it.</summary>
    public void Note(CachedRoute route)
    {
        foreach (PatternMembers pattern in _patterns)
            pattern.Note(route);
    }

    private SubscriberChannel[] Copy(MemberSet only)
    {
        SubscriberChannel[] members = newArray(only.Count);
        only.CopyTo(members);
        return members;
    }
}
