namespace EventBus.Delivery;

/// <summary>Several that wait to read from a channel. Guarded by the channel's lock.</summary>
internal sealed class WaitingReaders
{
    /// <summary>Those that wait to take the next event: each event wakes one of them.</summary>
    private WaitQueue<ReadWait> _takers;

    /// <summary>Those that wait to be told that there is something, and may not take it: an event wakes them all.</summary>
    private WaitQueue<ReadWait> _watchers;

    public bool IsEmpty => _takers.IsEmpty && _watchers.IsEmpty;

    public void Append(ReadWait wait)
    {
        if (wait.Takes)
            _takers.Append(wait);
        else
            _watchers.Append(wait);
    }

    /// <summary>Takes one out; false if it was taken out before.</summary>
    public bool TryRemove(ReadWait wait) => wait.Takes ? _takers.TryRemove(wait) : _watchers.TryRemove(wait);

    /// <summary>Takes out those that wait for one event, as a list.</summary>
    public ReadWait? TakeForOne() => ReadWait.Join(_takers.TakeFirst(), _watchers.TakeAll());

    /// <summary>Takes out those that wait to be told, as a list.</summary>
    public ReadWait? TakeWatchers() => _watchers.TakeAll();

    /// <summary>Takes out all, as a list.</summary>
    public ReadWait? TakeAll() => ReadWait.Join(_watchers.TakeAll(), _takers.TakeAll());
}
