namespace EventBus.Diagnostics;

/// <summary>
/// Keeps what a user's clock throws from whoever asked it for the time. A clock that fails is taken to stand still; a timer that it does not
/// make is made by the system, so that whoever waits for it is not left waiting.
/// </summary>
/// <remarks>The two times are interlocked, and belong to no lock: each is what some thread was told last.</remarks>
internal sealed class GuardedTimeProvider : TimeProvider
{
    private readonly TimeProvider _provider;

    /// <summary>What the clock showed when it was asked last without failing.</summary>
    private long _utcTicks = System.GetUtcNow().UtcTicks;
    private long _timestamp;

    private GuardedTimeProvider(TimeProvider provider)
    {
        _provider = provider;

        // Asked once, and not guarded: a clock without a frequency is no clock, and is refused where it is handed in.
        TimestampFrequency = provider.TimestampFrequency;
    }

    public override TimeZoneInfo LocalTimeZone => _provider.LocalTimeZone;

    public override long TimestampFrequency { get; }

    /// <summary>The guarded clock; the system's needs no guard.</summary>
    /// <param name="provider">The user's; null: the system's.</param>
    public static TimeProvider From(TimeProvider? provider) =>
        provider is null || provider == System ? System : provider as GuardedTimeProvider ?? new GuardedTimeProvider(provider);

    public override DateTimeOffset GetUtcNow()
    {
        try
        {
            DateTimeOffset now = _provider.GetUtcNow();
            Volatile.Write(ref _utcTicks, now.UtcTicks);
            return now;
        }
        catch (Exception)
        {
            return new DateTimeOffset(Volatile.Read(ref _utcTicks), TimeSpan.Zero);
        }
    }

    public override long GetTimestamp()
    {
        try
        {
            long timestamp = _provider.GetTimestamp();
            Volatile.Write(ref _timestamp, timestamp);
            return timestamp;
        }
        catch (Exception)
        {
            return Volatile.Read(ref _timestamp);
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        try
        {
            return new GuardedTimer(_provider.CreateTimer(callback, state, dueTime, period), callback, state);
        }
        catch (Exception)
        {
            return System.CreateTimer(callback, state, dueTime, period);
        }
    }

    /// <remarks>
    /// <see cref="_timer"/> is replaced by the system's when the user's cannot be changed, unless it has been disposed, as changing a disposed
    /// timer does nothing; <see cref="_isDisposed"/> is only ever set.
    /// </remarks>
    private sealed class GuardedTimer(ITimer timer, TimerCallback callback, object? state) : ITimer
    {
        private volatile ITimer _timer = timer;
        private volatile bool _isDisposed;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            try
            {
                return _timer.Change(dueTime, period);
            }
            catch (Exception)
            {
                if (_isDisposed)
                    return false;
                _timer = System.CreateTimer(callback, state, dueTime, period);
                return true;
            }
        }

        public void Dispose()
        {
            _isDisposed = true;
            try
            {
                _timer.Dispose();
            }
            catch (Exception)
            {
                // It may go off once more, which everyone who uses a timer has to expect.
            }
        }

        public async ValueTask DisposeAsync()
        {
            _isDisposed = true;
            try
            {
                await _timer.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception)
            {
                // As above.
            }
        }
    }
}
