using System.Runtime.ExceptionServices;

namespace EventBus.Testing;

/// <summary>
/// A clock that stands still until a test turns it: time-outs, retries, batches and flushes happen when the test says so.
/// </summary>
/// <remarks>
/// <para>
/// Hand it to the bus, and to the code under test. Timers fire on the thread that turns the clock, before <see cref="Advance"/>
/// returns, in the order in which they are due (of two that are due together the older first), and each sees the clock at its own
/// due time. One that a callback schedules fires in the same turn if it is due in it. Nothing fires by itself: a timer that is due
/// at once waits for the next turn, for which <c>Advance(TimeSpan.Zero)</c> is enough.
/// </para>
/// <para>
/// Code under test often begins to wait on another thread. <see cref="WhenTimersAsync"/> tells when it has, so that the
/// clock is not turned too early.
/// </para>
/// <para>All members are safe to use from any number of threads. No lock is held while a callback runs.</para>
/// </remarks>
public sealed class FakeTimeProvider : TimeProvider
{
    /// <summary>Guards the clock and the timers' schedules.</summary>
    private readonly Lock _gate = new();

    /// <summary>The scheduled timers, the next one first.</summary>
    private readonly SortedSet<FakeTimer> _scheduled = new(FakeTimer.DueFirst);
    private readonly CountSignal _timers = new();
    private DateTimeOffset _now;

    /// <summary>Where the running turn ends.</summary>
    private DateTimeOffset _target;
    private bool _isTurning;

    /// <summary>The timer whose callback runs, and what ends when it has.</summary>
    private FakeTimer? _firing;
    private TaskCompletionSource? _fired;
    private long _lastTimerId;

    /// <summary>Creates a clock.</summary>
    /// <param name="start">What it shows first; null: midnight of 1 January 2026, UTC.</param>
    public FakeTimeProvider(DateTimeOffset? start = null)
    {
        Start = (start ?? new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)).ToUniversalTime();
        _now = Start;
    }

    /// <summary>What the clock showed first.</summary>
    public DateTimeOffset Start { get; }

    /// <summary>How many timers are scheduled: created or changed to fire, not fired for the last time, not disposed.</summary>
    public int ScheduledTimers
    {
        get
        {
            lock (_gate)
                return _scheduled.Count;
        }
    }

    /// <summary>UTC, so that a test does not depend on where it runs.</summary>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>Ticks of <see cref="TimeSpan"/>.</summary>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
            return _now;
    }

    /// <inheritdoc/>
    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    /// <summary>Turns the clock forward and fires the timers that become due.</summary>
    /// <param name="delta">By how much; zero fires what is due already.</param>
    /// <remarks>
    /// Called while the clock is turning, by a timer's callback or another thread, it has that turn go further, and returns
    /// at once.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="delta"/> is negative.</exception>
    /// <exception cref="AggregateException">
    /// Several callbacks threw; one alone is thrown as it is. Timers after it have fired, and the clock shows the new time.
    /// </exception>
    public void Advance(TimeSpan delta)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delta, TimeSpan.Zero);
        lock (_gate)
        {
            _target = (_isTurning ? _target : _now) + delta;
            if (_isTurning)
                return;
            _isTurning = true;
        }

        List<Exception> failures = [];
        while (TakeDue() is { } timer)
        {
            try
            {
                timer.Fire();
            }
            catch (Exception failure)
            {
                failures.Add(failure);
            }
        }

        if (failures is [var only])
            ExceptionDispatchInfo.Throw(only);
        if (failures.Count > 0)
            throw new AggregateException(failures);
    }

    /// <summary>Turns the clock forward to a time, as <see cref="Advance"/> does.</summary>
    /// <param name="value">What it is to show; not before what it shows now.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="value"/> is in the past.</exception>
    public void SetUtcNow(DateTimeOffset value)
    {
        DateTimeOffset now = GetUtcNow();
        ArgumentOutOfRangeException.ThrowIfLessThan(value, now);
        Advance(value - now);
    }

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        FakeTimer timer = new(this, Interlocked.Increment(ref _lastTimerId), callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Waits until code under test waits: until at least so many timers are scheduled at once.</summary>
    /// <param name="count">How many; at least 1.</param>
    /// <param name="timeout">How long to wait for them, on the system's clock; null: 30 seconds.</param>
    /// <returns>A task that ends when they are.</returns>
    /// <remarks>The bus's own count, too: there is one for each history rule with a <see cref="HistoryRule.MaxAge"/> that holds events.</remarks>
    /// <exception cref="TimeoutException">They were not in time; the message says when those that are scheduled are due.</exception>
    public async Task WhenTimersAsync(int count = 1, TimeSpan? timeout = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (!await _timers.WaitAsync(count, timeout ?? Timeouts.Default).ConfigureAwait(false))
        {
            throw new TimeoutException(
                $"{count} timers were waited for {timeout ?? Timeouts.Default}, but only these are scheduled: {DescribeScheduled()}.");
        }
    }

    /// <summary>Schedules a timer anew.</summary>
    /// <param name="timer">The timer.</param>
    /// <param name="dueTime">When from now; null: never.</param>
    /// <param name="period">How often after that; null: once.</param>
    /// <returns>False if it has been disposed.</returns>
    internal bool TrySchedule(FakeTimer timer, TimeSpan? dueTime, TimeSpan? period)
    {
        lock (_gate)
        {
            if (timer.IsDisposed)
                return false;
            _scheduled.Remove(timer);
            timer.Period = period;
            if (dueTime is { } delay)
            {
                timer.Due = _now + delay;
                _scheduled.Add(timer);
            }

            _timers.Set(_scheduled.Count);
            return true;
        }
    }

    /// <summary>Has a timer fire no more.</summary>
    /// <returns>A task that ends when its callback does not run.</returns>
    internal Task Remove(FakeTimer timer)
    {
        lock (_gate)
        {
            timer.IsDisposed = true;
            _scheduled.Remove(timer);
            _timers.Set(_scheduled.Count);
            return _firing == timer ? _fired!.Task : Task.CompletedTask;
        }
    }

    /// <summary>Turns the clock to the next timer in reach; or, if there is none, to the turn's end.</summary>
    private FakeTimer? TakeDue()
    {
        lock (_gate)
        {
            _fired?.SetResult();
            (_firing, _fired) = (null, null);
            if (_scheduled.Min is not { } next || next.Due > _target)
            {
                _now = _target;
                _isTurning = false;
                return null;
            }

            _now = next.Due;
            _scheduled.Remove(next);
            if (next.Period is { } period)
            {
                next.Due += period;
                _scheduled.Add(next);
            }

            _timers.Set(_scheduled.Count);
            _fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _firing = next;
        }
    }

    private string DescribeScheduled()
    {
        lock (_gate)
            return _scheduled.Count == 0 ? "none" : string.Join(", ", _scheduled.Select(t => $"due in {t.Due - _now}"));
    }
}
