namespace EventBus.Delivery;

/// <summary>Who waits to read from a channel. Guarded by the channel's lock.</summary>
internal struct WaitingReaders
{
    /// <summary>Those that wait to take the next event: each event wakes one of them.</summary>
    private WaitQueue<ReadWait> _takers;

    /// <summary>Those that wait to be told that there is something, and may not take it: an event wakes them all.</summary>
    private WaitQueue<ReadWait> _watchers;

    /// <summary>Whether nobody waits: one look, as every publish takes it.</summary>
    public bool IsEmpty { get; private set; } = true;

    public WaitingReaders()
    {
    }

    public void Append(ReadWait wait)
    {
        IsEmpty = false;
        if (wait.Takes)
            _takers.Append(wait);
        else
            _watchers.Append(wait);
    }

    /// <summary>Takes one out; false if it was taken out before.</summary>
    public bool TryRemove(ReadWait wait)
    {
        bool isRemoved = wait.Takes ? _takers.TryRemove(wait) : _watchers.TryRemove(wait);
        Look();
        return isRemoved;
    }

    /// <summary>Takes out those that wait for one event, as a list.</summary>
    public ReadWait? TakeForOne()
    {
        ReadWait? readers = ReadWait.Join(_watchers.TakeAll(), _takers.TakeFirst());
        Look();
        return readers;
    }

    /// <summary>Takes out all, as a list.</summary>
    public ReadWait? TakeAll()
    {
        IsEmpty = true;
        return ReadWait.Join(_watchers.TakeAll(), _takers.TakeAll());
    }

    private void Look() => IsEmpty = _takers.IsEmpty && _watchers.IsEmpty;
}
