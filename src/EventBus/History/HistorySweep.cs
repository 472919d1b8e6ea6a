namespace EventBus.History;

/// <summary>Forgets the events of a rule that have grown too old, without being asked to.</summary>
/// <remarks>
/// A timer goes off only while something is held that grows too old, and does not keep the history of a bus that nobody
/// holds any more. <see cref="_isArmed"/> is interlocked: whoever sets it schedules the timer; the timer's callback, which never runs
/// twice at once, takes it back. All else is set once.
/// </remarks>
internal sealed class HistorySweep : IDisposable
{
    private static readonly long LeastDelay = TimeSpan.FromSeconds(5).Ticks;

    /// <summary>Timers go no further than some weeks; one that goes off too early is scheduled again.</summary>
    private static readonly long MostDelay = TimeSpan.FromDays(1).Ticks;
    private readonly RuleHistory _rule;
    private readonly Lock _gate;
    private readonly TimeProvider _timeProvider;
    private readonly ITimer _timer;
    private int _isArmed;

    public HistorySweep(RuleHistory rule, Lock gate, TimeProvider timeProvider)
    {
        _rule = rule;
        _gate = gate;
        _timeProvider = timeProvider;

        // Made unarmed, and without what flows with whoever makes the bus.
        using (ExecutionContext.IsFlowSuppressed() ? default(AsyncFlowControl?) : ExecutionContext.SuppressFlow())
        {
            _timer = timeProvider.CreateTimer(
                static state => OnTimer((WeakReference<HistorySweep>)state!),
                new WeakReference<HistorySweep>(this),
                Timeout.InfiniteTimeSpan,
                Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Schedules the timer if something grows too old and it is not scheduled; with no lock held.</summary>
    public void Watch()
    {
        while (_rule.IsAging && Volatile.Read(ref _isArmed) == 0 && Interlocked.Exchange(ref _isArmed, 1) == 0)
        {
            long since;
            lock (_gate)
                since = _rule.AgesSince;
            if (since != long.MaxValue)
            {
                _timer.Change(DelayFor(since), Timeout.InfiniteTimeSpan);
                return;
            }

            // All is gone; who added something meanwhile took the timer for scheduled.
            Volatile.Write(ref _isArmed, 0);
        }
    }

    public void Dispose() => _timer.Dispose();

    private static void OnTimer(WeakReference<HistorySweep> weak)
    {
        if (weak.TryGetTarget(out HistorySweep? sweep))
            sweep.Sweep();
    }

    /// <summary>
    /// Half of the time within which expired events must be gone, after the oldest has expired: so one turn takes many of them, and a late
    /// timer is in time.
    /// </summary>
    private TimeSpan DelayFor(long since)
    {
        long age = Math.Min(_rule.MaxAgeTicks, TimeSpan.MaxValue.Ticks / 2);
        long due = age - (_timeProvider.GetUtcNow().UtcTicks - since) + Math.Max(age / 8, LeastDelay);
        return TimeSpan.FromTicks(Math.Clamp(due, TimeSpan.TicksPerMillisecond, MostDelay));
    }

    private void Sweep()
    {
        long now = _timeProvider.GetUtcNow().UtcTicks;
        bool hasMore = true;
        while (hasMore)
        {
            lock (_gate)
                hasMore = _rule.ExpireSome(now);
        }

        Volatile.Write(ref _isArmed, 0);
        Watch();
    }
}
