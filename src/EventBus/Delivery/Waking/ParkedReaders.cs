namespace EventBus.Delivery;

/// <summary>The readers of a group that wait for its next event: at most one of each member. Guarded by the group's gate.</summary>
/// <remarks>
/// A publish takes all of them at once, however many, by beginning a new round: a wait is parked exactly while it carries the number of this
/// one. From then on its place in the list belongs to whoever completes it.
/// </remarks>
internal struct ParkedReaders
{
    private ReadWait? _first;
    private ReadWait? _last;
    private long _round = 1;

    /// <summary>Wakes several at once; made when there are several for the first time.</summary>
    private Relay? _relay;

    public ParkedReaders()
    {
    }

    public readonly bool IsEmpty => _first is null;

    public readonly bool Contains(ReadWait? wait) => wait is not null && wait.ParkedIn == _round;

    /// <summary>Adds one; if there is no memory for it, nothing has changed.</summary>
    public void Add(ReadWait wait)
    {
        if (_last is null)
        {
            _first = wait;
        }
        else
        {
            _relay ??= new Relay();
            _last.Next = wait;
        }

        wait.Previous = _last;
        wait.ParkedIn = _round;
        _last = wait;
    }

    /// <summary>Takes one out; false if it is not parked.</summary>
    public bool TryRemove(ReadWait? wait)
    {
        if (wait is null || wait.ParkedIn != _round)
            return false;
        wait.Unlink(ref _first, ref _last);
        wait.ParkedIn = 0;
        return true;
    }

    /// <summary>Has a publisher wake all of them.</summary>
    public void TakeAll(ref FanOut fanOut)
    {
        ReadWait first = _first!;
        if (first.Next is null)
            fanOut.AddWakes(first);
        else if (_relay!.Append(first, _last!))
            fanOut.AddRelay(_relay);
        _first = _last = null;
        _round++;
    }
}
