namespace EventBus.Diagnostics;

/// <summary>
/// Keeps one kind of message from flooding the log: in each interval the first ones pass, the others are counted, and their number is
/// told once when the interval is over.
/// </summary>
/// <param name="timeProvider">Whose time it is.</param>
/// <param name="summarize">Told how many messages were suppressed; called with no lock held.</param>
internal sealed class LogThrottle(TimeProvider timeProvider, Action<long> summarize)
{
    public const int Burst = 100;
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>Guards everything below.</summary>
    private readonly Lock _gate = new();
    private long _intervalStart;
    private int _passed;
    private long _suppressed;

    /// <summary>Whether a message may be logged.</summary>
    /// <returns>False if it is only counted.</returns>
    public bool TryPass()
    {
        long now = timeProvider.GetTimestamp();
        TimeSpan age;
        lock (_gate)
        {
            age = _passed == 0 ? Interval : timeProvider.GetElapsedTime(_intervalStart, now);
            if (age >= Interval)
            {
                _intervalStart = now;
                _passed = 0;
            }

            if (_passed < Burst)
            {
                _passed++;
                return true;
            }

            if (_suppressed++ > 0)
                return false;
        }

        _ = SummarizeAsync(Interval - age);
        return false;
    }

    private async Task SummarizeAsync(TimeSpan due)
    {
        await Task.Delay(due, timeProvider).ConfigureAwait(false);
        long suppressed;
        lock (_gate)
        {
            suppressed = _suppressed;
            _suppressed = 0;
        }

        summarize(suppressed);
    }
}
