namespace EventBus.Delivery;

/// <summary>Who waits to read from one channel.</summary>
/// <remarks>
/// The channel's gate guards everything. While the channel is in its group's log, the one that waits is parked there, so that a publish need not
/// come by here: then <see cref="_first"/> waits exactly if the group says so, and a second one cannot wait before the channel leaves the log.
/// </remarks>
internal struct ChannelReaders
{
    /// <summary>The one that came first of those that wait. In the log it may also be one that waited, and was woken.</summary>
    private ReadWait? _first;

    /// <summary>Those that came after it; made when one does.</summary>
    private WaitingReaders? _others;

    /// <summary>A wait to use again; taken and put back without the lock.</summary>
    private ReadWait? _spare;

    /// <summary>The one that is parked in the group's log, if it still is.</summary>
    public readonly ReadWait? Parked => _first;

    /// <summary>Whether more wait than can be parked in a log.</summary>
    public readonly bool AreSeveral => _others is { IsEmpty: false };

    /// <summary>Whether anyone waits here; the channel is not in a log.</summary>
    public readonly bool IsAnyWaiting => _first is not null || AreSeveral;

    /// <summary>A wait without a token, which is used again.</summary>
    public ReadWait TakeReusable(GroupMember member) => Interlocked.Exchange(ref _spare, null) ?? new ReadWait(member, reusable: true);

    /// <summary>Keeps a wait for the next reader; without the lock.</summary>
    public void Reuse(ReadWait wait) => Volatile.Write(ref _spare, wait);

    /// <summary>Parks the first and only one in the log; if there is no memory for it, nothing has changed.</summary>
    public void Park(ReadWait wait, ref ParkedReaders parked)
    {
        parked.Add(wait);
        _first = wait;
    }

    /// <summary>The channel leaves the log: who is parked there waits here.</summary>
    public void LeaveLog(ref ParkedReaders parked)
    {
        if (!parked.TryRemove(_first))
            _first = null;
    }

    /// <summary>The channel enters the log: who waits here is parked there. At most one does.</summary>
    public readonly void EnterLog(ref ParkedReaders parked)
    {
        if (_first is not null)
            parked.Add(_first);
    }

    /// <summary>Lets one wait here; the channel is not in a log.</summary>
    public void Append(ReadWait wait)
    {
        if (_first is null && !AreSeveral)
            _first = wait;
        else
            (_others ??= new WaitingReaders()).Append(wait);
    }

    /// <summary>Takes one out that waits here; false if it does not.</summary>
    public bool TryRemove(ReadWait wait) => TryForget(wait) || (_others?.TryRemove(wait) ?? false);

    /// <summary>Takes one out that was parked in the log; false if it is not any more.</summary>
    public bool TryRemove(ReadWait wait, ref ParkedReaders parked) => parked.TryRemove(wait) && TryForget(wait);

    /// <summary>Takes out those that wait here for one event, as a list; the channel is not in a log.</summary>
    public ReadWait? TakeForOne()
    {
        ReadWait? first = _first;
        if (first is null && _others is null)
            return null;
        _first = null;
        if (_others is null)
            return first;
        return first is { Takes: true } ? ReadWait.Join(first, _others.TakeWatchers()) : ReadWait.Join(first, _others.TakeForOne());
    }

    /// <summary>Takes out all that wait here, as a list; the channel is not in a log.</summary>
    public ReadWait? TakeAll()
    {
        ReadWait? first = _first;
        _first = null;
        return ReadWait.Join(first, _others?.TakeAll());
    }

    private bool TryForget(ReadWait wait)
    {
        if (_first != wait)
            return false;
        _first = null;
        return true;
    }
}
