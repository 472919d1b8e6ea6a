namespace EventBus.Delivery;

/// <summary>What can stand in a <see cref="WaitQueue{TWait}"/>, one at a time. Its place belongs to the channel's lock.</summary>
internal abstract class QueuedWait<TWait>
    where TWait : QueuedWait<TWait>
{
    public TWait? Previous { get; set; }

    public TWait? Next { get; set; }

    /// <summary>Whether it is in the queue.</summary>
    public bool IsWaiting { get; set; }
}

/// <summary>Waits, first come, first served; any of them can leave in O(1). Guarded by the channel's lock.</summary>
internal struct WaitQueue<TWait>
    where TWait : QueuedWait<TWait>
{
    private TWait? _last;

    public TWait? First { get; private set; }

    public readonly bool IsEmpty => First is null;

    public void Append(TWait wait)
    {
        wait.IsWaiting = true;
        wait.Previous = _last;
        if (_last is null)
            First = wait;
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
        if (wait.Previous is null)
            First = wait.Next;
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

        First = _last = null;
        return first;
    }
}
