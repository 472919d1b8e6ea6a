using EventBus.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Handling;

/// <summary>Calls a store, keeps what it throws, and says when it hangs.</summary>
/// <remarks>
/// One call at a time; <see cref="_events"/> and the two starts are written before the timer that reads them is started, and
/// <see cref="_isRunning"/> tells it whether they are still true. The timer is the system's, and looks at both clocks: a fake one that nobody
/// turns hides no hanging store, and whoever waits for a fake one's timers meets none that only watches.
/// </remarks>
internal sealed class StoreCalls<TEvent> : IDisposable
    where TEvent : notnull
{
    /// <summary>How long a call may take before it is said to hang.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>How often a call is looked at.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    private readonly IEventStore<TEvent> _store;
    private readonly WriteBehindBuffer<TEvent> _buffer;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;

    /// <summary>Made once: a call that has begun must not fail for want of what watches it, or the store would be called twice at once.</summary>
    private readonly ITimer _watch;
    private int _events;
    private long _started;
    private long _startedInRealTime;
    private volatile bool _isRunning;

    public StoreCalls(IEventStore<TEvent> store, WriteBehindBuffer<TEvent> buffer, TimeProvider timeProvider, ILogger logger)
    {
        _store = store;
        _buffer = buffer;
        _timeProvider = GuardedTimeProvider.From(timeProvider);
        _logger = logger;
        _watch = TimeProvider.System.CreateTimer(
            static state => ((StoreCalls<TEvent>)state!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Has the store append events.</summary>
    /// <returns>Why it did not; null: it did.</returns>
    // A method of its own that is async: what the store leaves in the flow of execution ends with it.
    public async ValueTask<Exception?> TryAppendAsync(IReadOnlyList<BufferedEvent<TEvent>> events, CancellationToken cancellationToken)
    {
        try
        {
            (_events, _started, _startedInRealTime) = (events.Count, _timeProvider.GetTimestamp(), TimeProvider.System.GetTimestamp());

            // Before the call: a store that blocks its caller hangs as well as one whose task does not end.
            Watch();
            await _store.AppendAsync(events, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (Exception exception)
        {
            return exception;
        }
        finally
        {
            _isRunning = false;
            _watch.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Watches no more.</summary>
    public void Dispose() => _watch.Dispose();

    private void Watch()
    {
        _isRunning = true;
        _watch.Change(LookInterval, LookInterval);
    }

    private void Look()
    {
        TimeSpan lasted = _timeProvider.GetElapsedTime(_started), inRealTime = TimeProvider.System.GetElapsedTime(_startedInRealTime);
        if (lasted < inRealTime)
            lasted = inRealTime;
        if (!_isRunning || lasted < Patience)
            return;

        // Once for each call.
        _isRunning = false;
        Log.StoreHangs(_logger, typeof(TEvent).Name, _events, lasted, _buffer.Held);
    }
}
