namespace EventBus.Routing;

/// <summary>The time that events are stamped with.</summary>
/// <remarks>
/// Asking the system for the time costs as much as handing an event to a subscriber, so with the system's clock the answer is
/// kept for as long as <see cref="Environment.TickCount64"/>, which is much cheaper, stands still: a few milliseconds. Any other
/// provider is asked every time, so that a fake clock is exact.
/// </remarks>
internal sealed class EventClock
{
    private readonly TimeProvider _timeProvider;
    private readonly bool _isSystem;

    /// <summary>The tick count for which <see cref="_utcTicks"/> was read; written after it, so that whoever sees it sees the time.</summary>
    private long _readAt = long.MinValue;
    private long _utcTicks;

    public EventClock(TimeProvider timeProvider)
    {
        _timeProvider = timeProvider;
        _isSystem = timeProvider == TimeProvider.System;
    }

    /// <summary>The same as microseconds of the Unix epoch.</summary>
    public long UtcMicroseconds => (UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;

    public long UtcTicks
    {
        get
        {
            if (!_isSystem)
                return _timeProvider.GetUtcNow().UtcTicks;
            long now = Environment.TickCount64;
            return Volatile.Read(ref _readAt) == now ? Volatile.Read(ref _utcTicks) : Read(now);
        }
    }

    private long Read(long now)
    {
        long utcTicks = _timeProvider.GetUtcNow().UtcTicks;
        Volatile.Write(ref _utcTicks, utcTicks);
        Volatile.Write(ref _readAt, now);
        return utcTicks;
    }
}
