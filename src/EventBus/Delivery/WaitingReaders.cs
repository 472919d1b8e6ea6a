namespace EventBus.Delivery;

/// <summary>Who waits to read from a channel. Guarded by the channel's lock.</summary>
internal struct WaitingReaders
{
    /// <summary>Those that wait to take the next event: each event wakes one of them.</summary>
    private ReadWaitQueue _takers;

    /// <summary>Those that wait to be told that there is something, and may not take it: an event wakes them all.</summary>
    private ReadWaitQueue _watchers;

    public readonly bool IsEmpty => _takers.IsEmpty && _watchers.IsEmpty;

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
    public ReadWait? TakeForOne() => ReadWait.Join(_watchers.TakeAll(), _takers.TakeFirst());

    /// <summary>Takes out all, as a list.</summary>
    public ReadWait? TakeAll() => ReadWait.Join(_watchers.TakeAll(), _takers.TakeAll());
}

/// <summary>Waiting readers, first come, first served; any of them can leave in O(1). Guarded by the channel's lock.</summary>
internal struct ReadWaitQueue
{
    private ReadWait? _first;
    private ReadWait? _last;

    public readonly bool IsEmpty => _first is null;

    public void Append(ReadWait wait)
    {
        wait.IsWaiting = true;
        wait.Previous = _last;
        if (_last is null)
            _first = wait;
        else
            _last.Next = wait;
        _last = wait;
    }

    /// <summary>Takes one out; false if it was taken out before.</summary>
    public bool TryRemove(ReadWait wait)
    {
        if (!wait.IsWaiting)
            return false;
        wait.IsWaiting = false;
        if (wait.Previous is null)
            _first = wait.Next;
        else
            wait.Previous.Next = wait.Next;
        if (wait.Next is null)
            _last = wait.Previous;
        else
            wait.Next.Previous = wait.Previous;
        wait.Previous = wait.Next = null;
        return true;
    }

    /// <summary>Takes out the one that has waited longest, as a list of one.</summary>
    public ReadWait? TakeFirst()
    {
        ReadWait? first = _first;
        if (first is not null)
            TryRemove(first);
        return first;
    }

    /// <summary>Takes out all, as a list in the order of their coming.</summary>
    public ReadWait? TakeAll()
    {
        ReadWait? first = _first;
        for (ReadWait? wait = first; wait is not null; wait = wait.Next)
        {
            wait.IsWaiting = false;
            wait.Previous = null;
        }

        _first = _last = null;
        return first;
    }
}
