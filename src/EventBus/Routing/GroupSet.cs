using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>
/// The groups that listen to one topic or pattern: adding and removing cost O(1), and what was removed takes up no memory. Most have one.
/// Not thread-safe: the registry's lock guards it.
/// </summary>
internal sealed class GroupSet
{
    private SubscriberGroup? _only;

    /// <summary>All of them, when they are or were several.</summary>
    private HashSet<SubscriberGroup>? _several;

    public int Count => _several?.Count ?? (_only is null ? 0 : 1);

    /// <summary>Adds a group; if there is no memory for it, the set is as it was.</summary>
    public void Add(SubscriberGroup group)
    {
        if (_several is not null)
            _several.Add(group);
        else if (_only is null)
            _only = group;
        else
            (_several, _only) = ([_only, group], null);
    }

    public void Remove(SubscriberGroup group)
    {
        if (_several is null)
            _only = _only == group ? null : _only;
        else if (_several.Remove(group))
            _several.Shrink();
    }

    public void CopyTo(SubscriberGroup[] groups)
    {
        if (_several is not null)
            _several.CopyTo(groups);
        else if (_only is not null)
            groups[0] = _only;
    }

    public IEnumerable<SubscriberGroup> All()
    {
        if (_only is not null)
            yield return _only;
        if (_several is null)
            yield break;
        foreach (SubscriberGroup group in _several)
            yield return group;
    }
}
