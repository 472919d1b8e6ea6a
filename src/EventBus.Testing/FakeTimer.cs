namespace EventBus.Testing;

/// <summary>A timer of a <see cref="FakeTimeProvider"/>, whose lock guards everything that changes.</summary>
internal sealed class FakeTimer : ITimer
{
    /// <summary>The longest due time and period of the system's timers.</summary>
    private static readonly TimeSpan MaxTime = TimeSpan.FromMilliseconds(uint.MaxValue - 1);
    private readonly FakeTimeProvider _clock;
    private readonly long _id;
    private readonly TimerCallback _callback;
    private readonly object? _state;

    /// <summary>What the callback runs in, as those of the system's timers do; null: the flow was suppressed.</summary>
    private readonly ExecutionContext? _context = ExecutionContext.Capture();

    public FakeTimer(FakeTimeProvider clock, long id, TimerCallback callback, object? state)
    {
        _clock = clock;
        _id = id;
        _callback = callback;
        _state = state;
    }

    /// <summary>By due time, of those due together the older first.</summary>
    public static IComparer<FakeTimer> DueFirst { get; } = Comparer<FakeTimer>.Create(
        static (a, b) => a.Due.CompareTo(b.Due) is var byTime and not 0 ? byTime : a._id.CompareTo(b._id));

    public DateTimeOffset Due { get; set; }

    /// <summary>Null: it fires once.</summary>
    public TimeSpan? Period { get; set; }

    public bool IsDisposed { get; set; }

    public bool Change(TimeSpan dueTime, TimeSpan period)
    {
        // As with the system's timers a period of zero is none.
        TimeSpan? every = Checked(period, nameof(period));
        return _clock.TrySchedule(this, Checked(dueTime, nameof(dueTime)), every == TimeSpan.Zero ? null : every);
    }

    /// <summary>Runs the callback, with no lock held.</summary>
    public void Fire()
    {
        if (_context is null)
            _callback(_state);
        else
            ExecutionContext.Run(_context, static timer => ((FakeTimer)timer!)._callback(((FakeTimer)timer)._state), this);
    }

    public void Dispose() => _ = _clock.Remove(this);

    public ValueTask DisposeAsync() => new(_clock.Remove(this));

    private static TimeSpan? Checked(TimeSpan time, string parameter)
    {
        if (time == Timeout.InfiniteTimeSpan)
            return null;
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero, parameter);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(time, MaxTime, parameter);
        return time;
    }
}
