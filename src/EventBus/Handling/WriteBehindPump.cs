using System.Diagnostics.CodeAnalysis;
using EventBus.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Handling;

/// <summary>Stores and broadcasts what a write-behind's buffer holds, whenever something is due.</summary>
/// <remarks>
/// It calls the store and the publisher, one batch at a time (the buffer allows one run at once), and with no lock held. Everything is set
/// in the constructor; what changes is the buffer's.
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "The token sources have no timers, and the store may use the token after the end.")]
internal sealed class WriteBehindPump<TEvent>
    where TEvent : notnull
{
    private readonly WriteBehindBuffer<TEvent> _buffer;
    private readonly IEventPublisher _publisher;
    private readonly IEventStore<TEvent> _store;
    private readonly WriteBehindOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly ActivityMonitor? _activity;
    private readonly ITimer _timer;

    /// <summary>Cancelled when disposal begins: cuts a retry delay short.</summary>
    private readonly CancellationTokenSource _closing = new();

    /// <summary>Cancelled when the time for draining is over.</summary>
    private readonly CancellationTokenSource _givingUp = new();

    public WriteBehindPump(
        WriteBehindBuffer<TEvent> buffer,
        IEventPublisher publisher,
        IEventStore<TEvent> store,
        WriteBehindOptions options,
        TimeProvider timeProvider,
        ILogger logger,
        ActivityMonitor? activity)
    {
        _buffer = buffer;
        _publisher = publisher;
        _store = store;
        _options = options;
        _timeProvider = timeProvider;
        _logger = logger;
        _activity = activity;

        // The store and the publisher must not inherit the span or the locals of whoever happened to create this.
        using (ExecutionContext.IsFlowSuppressed() ? default(AsyncFlowControl?) : ExecutionContext.SuppressFlow())
        {
            _timer = timeProvider.CreateTimer(
                static state => ((WriteBehindPump<TEvent>)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Waits no longer before the store is tried again.</summary>
    // Not Cancel: what waits for the token goes on with calling the store, and must not do so on the stack of who disposes.
    public void Hurry() => _ = _closing.CancelAsync();

    /// <summary>Tries the store no more, and asks it to leave what it is at.</summary>
    public void GiveUp() => _ = _givingUp.CancelAsync();

    /// <summary>Stops the timer, for good.</summary>
    // Not DisposeAsync: it waits for a running callback, which may be one that a store blocks.
    public void StopTimer() => _timer.Dispose();

    /// <summary>Does what the buffer asked for; with no lock held.</summary>
    public void Do(WriteBehindWork work)
    {
        // Only who was asked to starts it, and nobody is asked again before it went off: so starts never overtake each other.
        if (work.HasFlag(WriteBehindWork.StartTimer))
            _timer.Change(_options.FlushInterval, Timeout.InfiniteTimeSpan);
        if (work.HasFlag(WriteBehindWork.StartPump))
            ThreadPool.UnsafeQueueUserWorkItem(static pump => _ = pump.RunAsync(), this, preferLocal: false);
    }

    private void OnTimer()
    {
        if (_buffer.BecomeDue().HasFlag(WriteBehindWork.StartPump))
            _ = RunAsync();
    }

    /// <summary>Stores and broadcasts, batch after batch, for as long as anything is due.</summary>
    private async Task RunAsync()
    {
        while (_buffer.TryTakeBatch(out BufferedEvent<TEvent>[]? batch))
        {
            if (!await TryStoreAsync(batch).ConfigureAwait(false) || !_buffer.TryBeginBroadcast())
                return;
            Broadcast(batch);
            Do(_buffer.Settle());
            if (_buffer.Held == 0)
                _activity?.TurnedIdle();
        }
    }

    /// <summary>Hands a batch to the store until it succeeds; false if it was given up.</summary>
    private async ValueTask<bool> TryStoreAsync(BufferedEvent<TEvent>[] batch)
    {
        for (int attempt = 1; !_givingUp.IsCancellationRequested; attempt++)
        {
            try
            {
                await _store.AppendAsync(batch, _givingUp.Token).ConfigureAwait(false);
                if (attempt > 1)
                    Log.StoreRecovered(_logger, typeof(TEvent).Name, attempt);
                return true;
            }
            catch (Exception) when (_givingUp.IsCancellationRequested)
            {
                return false;
            }
            catch (Exception exception)
            {
                // Ever more rarely, so that a store that is down for hours does not fill the log.
                if (int.IsPow2(attempt))
                    Log.StoreFailed(_logger, exception, typeof(TEvent).Name, batch.Length, attempt, _buffer.Held);
            }

            CancellationToken cut = _closing.IsCancellationRequested ? _givingUp.Token : _closing.Token;
            await Task.Delay(_options.RetryDelay, _timeProvider, cut).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
    }

    private void Broadcast(BufferedEvent<TEvent>[] batch)
    {
        int failures = 0;
        Exception? first = null;
        foreach (BufferedEvent<TEvent> buffered in batch)
        {
            try
            {
                _publisher.Publish(buffered.Topic, buffered.Event);
            }
            catch (Exception exception)
            {
                // The bus throws nothing here, but another publisher may. The event is stored, and those after it are to be heard of.
                failures++;
                first ??= exception;
            }
        }

        if (first is not null)
            Log.BroadcastFailed(_logger, first, typeof(TEvent).Name, failures);
    }
}
