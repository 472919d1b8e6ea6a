namespace EventBus.Delivery;

/// <summary>What can stand in a <see cref="WaitQueue{TWait}"/>, one at a time. Its place belongs to the channel's lock.</summary>
internal abstract class QueuedWait<TWait>
    where TWait : QueuedWait<TWait>
{
    public TWait? Previous { get; set; }

    public TWait? Next { get; set; }

    /// <summary>Whether it is in the queue.</summary>
    public bool IsWaiting { get; set; }

    /// <summary>Takes it out of a list of which the first and the last are given.</summary>
    public void Unlink(ref TWait? first, ref TWait? last)
    {
        if (Previous is null)
            first = Next;
        else
            Previous.Next = Next;
        if (Next is null)
            last = Previous;
        else
            Next.Previous = Previous;
        Previous = Next = null;
    }
}

/// <summary>Waits, first come, first served; any of them can leave in O(1). Guarded by the channel's lock.</summary>
internal struct WaitQueue<TWait>
    where TWait : QueuedWait<TWait>
{
    private TWait? _first;
    private TWait? _last;

    public readonly TWait? First => _first;

    public readonly bool IsEmpty => First is null;

    public void Append(TWait wait)
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
    public bool TryRemove(TWait wait)
    {
        if (!wait.IsWaiting)
            return false;
        wait.IsWaiting = false;
        wait.Unlink(ref _first, ref _last);
        return true;
    }

    /// <summary>Takes out the one that has waited longest, as a list of one.</summary>
    public TWait? TakeFirst()
    {
        TWait? first = First;
        if (first is not null)
            TryRemove(first);
        return first;
    }

    /// <summary>Takes out all, as a list in the order of their coming.</summary>
    public TWait? TakeAll()
    {
        TWait? first = First;
        for (TWait? wait = first; wait is not null; wait = wait.Next)
        {
            wait.IsWaiting = false;
            wait.Previous = null;
        }

        _first = _last = null;
        return first;
    }
}
