namespace EventBus.Delivery;

/// <summary>A <c>PublishAsync</c> that waits for room in full subscriptions, in all of them together.</summary>
/// <remarks>
/// <para>Invariant: every wait ends exactly once (its channel's lock decides how) and then calls <see cref="WaitEnded"/> once; the
/// task ends when all have, and the publisher has started waiting.</para>
/// <para>Guards: <see cref="_waits"/>, <see cref="_matched"/>, <see cref="_timer"/> and <see cref="_registration"/> are written by the
/// publisher before it gives up its own share of <see cref="_open"/>, and read by the last one that ends; <see cref="_waits"/>
/// is also read by the timer and the token, which exist only after it is complete. <see cref="_open"/> and
/// <see cref="_dropped"/> are interlocked. <see cref="_deadline"/> belongs to the timer, which never runs twice at once.</para>
/// </remarks>
internal sealed class PendingPublish
{
    private readonly TaskCompletionSource<PublishResult> _source = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<WriteWait> _waits = [];

    /// <summary>The waits that have not ended, and one for the publisher until it has started waiting.</summary>
    private int _open = 1;
    private int _matched;
    private int _dropped;
    private ITimer? _timer;
    private TimeSpan _deadline;
    private CancellationTokenRegistration _registration;
    private CancellationToken _cancelledBy;
    private volatile bool _cancelled;

    /// <summary>Adds a wait; only by the publisher, under the lock of the wait's channel.</summary>
    public void Add(WriteWait wait)
    {
        _waits.Add(wait);
        Interlocked.Increment(ref _open);
    }

    /// <summary>Starts waiting, after the event was offered to all.</summary>
    public Task<PublishResult> Start(PublishResult soFar, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        _matched = soFar.Matched;
        Interlocked.Add(ref _dropped, soFar.Dropped);
        if (Volatile.Read(ref _open) > 1)
            WaitAtMost(timeProvider, cancellationToken);
        Release();
        return _source.Task;
    }

    /// <summary>A wait ended; called once for each, with no lock held.</summary>
    public void WaitEnded(WaitEnd end)
    {
        if (end is WaitEnd.TimedOut or WaitEnd.Cancelled or WaitEnd.Lost)
            Interlocked.Increment(ref _dropped);
        if (end == WaitEnd.Cancelled)
            _cancelled = true;
        Release();
    }

    private void WaitAtMost(TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        try
        {
            // One timer for all: armed for the shortest time-out, then for the next longer one. Made unarmed, so that it
            // cannot run before it is assigned.
            _timer = timeProvider.CreateTimer(
                static state => ((PendingPublish)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            ArmFor(_waits.Min(w => w.Timeout));
            _cancelledBy = cancellationToken;
            _registration = cancellationToken.UnsafeRegister(static state => ((PendingPublish)state!).OnCancelled(), this);
        }
        catch (OutOfMemoryException)
        {
            // Without a timer nobody would tell them that they wait in vain.
            GiveUp(WaitEnd.TimedOut);
        }
    }

    private void ArmFor(TimeSpan deadline)
    {
        TimeSpan sooner = _deadline;
        _deadline = deadline;
        _timer!.Change(deadline - sooner, Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        TimeSpan due = _deadline, next = TimeSpan.MaxValue;
        foreach (WriteWait wait in _waits)
        {
            if (wait.Timeout <= due)
                wait.GiveUp(WaitEnd.TimedOut);
            else if (wait.Timeout < next)
                next = wait.Timeout;
        }

        // Disposed by now if nothing is left to wait for; then arming it does nothing.
        if (next != TimeSpan.MaxValue)
            ArmFor(next);
    }

    private void OnCancelled() => GiveUp(WaitEnd.Cancelled);

    private void GiveUp(WaitEnd why)
    {
        foreach (WriteWait wait in _waits)
            wait.GiveUp(why);
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref _open) != 0)
            return;
        _timer?.Dispose();
        _registration.Unregister();
        if (_cancelled)
            _source.SetCanceled(_cancelledBy);
        else
            _source.SetResult(new PublishResult(_matched, _dropped));
    }
}
