using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using EventBus.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Handling;

/// <summary>Stores and broadcasts what a write-behind's buffer holds, whenever something is due.</summary>
/// <remarks>
/// <para>It calls the store and the publisher, one part of a batch at a time (the buffer allows one run at once), and with no lock held.
/// Everything is set in the constructor; what changes is the buffer's, or its batch's.</para>
/// <para>Invariant: a run ends only when the buffer has nothing for it. Each step begins with asking the buffer how far its batch is, so
/// whatever fails in between, what was stored or refused is not handed to the store again, and what was broadcast is not broadcast again.</para>
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "The token source has no timer, and the store may use the token after the end.")]
internal sealed class WriteBehindPump<TEvent> : IThreadPoolWorkItem
    where TEvent : notnull
{
    private readonly WriteBehindBuffer<TEvent> _buffer;
    private readonly IEventPublisher _publisher;
    private readonly InProcessEventBus? _bus;
    private readonly StoreCalls<TEvent> _store;
    private readonly string _storeName;
    private readonly WriteBehindOptions _options;
    private readonly ILogger _logger;
    private readonly LogThrottle _refusals;
    private readonly RetryPause _pause;
    private readonly ITimer _timer;

    /// <summary>Cancelled when the time for draining is over.</summary>
    private readonly CancellationTokenSource _givingUp = new();

    public WriteBehindPump(
        WriteBehindBuffer<TEvent> buffer,
        IEventPublisher publisher,
        IEventStore<TEvent> store,
        WriteBehindOptions options,
        TimeProvider timeProvider,
        ILogger logger)
    {
        _buffer = buffer;
        _publisher = publisher;
        _bus = publisher as InProcessEventBus;
        _storeName = store.GetType().ToString();
        _options = options;
        _logger = logger;
        _refusals = new LogThrottle(
            timeProvider, n => Log.EventsRefusedSuppressed(logger, typeof(TEvent).Name, n, LogThrottle.Interval));
        _pause = new RetryPause(timeProvider);

        // The store and the publisher must not inherit the span or the locals of whoever happened to create this.
        using (ExecutionContext.IsFlowSuppressed() ? default(AsyncFlowControl?) : ExecutionContext.SuppressFlow())
        {
            _store = new StoreCalls<TEvent>(store, buffer, timeProvider, logger);
            _timer = timeProvider.CreateTimer(
                static state => ((WriteBehindPump<TEvent>)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Tries the store again at once, and waits only shortly between tries until <see cref="Relax"/>.</summary>
    public void Hurry() => _pause.Hurry();

    /// <summary>Takes one <see cref="Hurry"/> back.</summary>
    public void Relax() => _pause.Relax();

    /// <summary>Tries the store no more, and asks it to leave what it is at. The buffer has been abandoned.</summary>
    // Not Cancel: what waits for the token is the store's, and must not run on the stack of who disposes.
    public void GiveUp()
    {
        _ = _givingUp.CancelAsync();
        _pause.End();
    }

    /// <summary>Stops the timers, for good.</summary>
    // Not DisposeAsync: it waits for a running callback, which may be one that a store blocks.
    public void StopTimers()
    {
        _timer.Dispose();
        _store.Dispose();
    }

    /// <summary>Does what the buffer asked for; with no lock held.</summary>
    public void Do(WriteBehindWork work)
    {
        // Only who was asked to starts it, and nobody is asked again before it went off: so starts never overtake each other.
        if ((work & WriteBehindWork.StartPump) == WriteBehindWork.StartPump)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        if ((work & WriteBehindWork.StartTimer) == WriteBehindWork.StartTimer)
            _timer.Change(_options.FlushInterval, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The pool runs it.</summary>
    void IThreadPoolWorkItem.Execute() => _ = RunAsync();

    private void OnTimer()
    {
        if ((_buffer.BecomeDue() & WriteBehindWork.StartPump) == WriteBehindWork.StartPump)
            _ = RunAsync();
    }

    /// <summary>Stores and broadcasts, step after step, for as long as anything is due. Never throws.</summary>
    private async Task RunAsync()
    {
        for (bool goesOn = true; goesOn;)
        {
            try
            {
                goesOn = await StepAsync().ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                await RestAsync(exception).ConfigureAwait(false);
            }
        }
    }

    /// <summary>What is plugged in is guarded where it is called; what is left is a want of memory, which may be over in a moment.</summary>
    private async ValueTask RestAsync(Exception exception)
    {
        try
        {
            Log.PumpFailed(_logger, exception, typeof(TEvent).Name, _buffer.Held);
            await _pause.WaitAsync(_options.RetryDelay).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Then without a rest.
        }
    }

    /// <summary>Tries the store once, and does what follows from that; false if nothing is due.</summary>
    private async ValueTask<bool> StepAsync()
    {
        if (!_buffer.TryTakeBatch(out WriteBehindBatch<TEvent>? batch, out bool isDecided))
            return false;
        TimeSpan pause = TimeSpan.Zero;
        if (!isDecided)
        {
            if (await _store.TryAppendAsync(batch.Part, _givingUp.Token).ConfigureAwait(false) is { } failure)
                isDecided = TryRefuse(batch, failure, out pause);
            else
                isDecided = TryAccept(batch);
        }

        if (isDecided)
        {
            Broadcast(batch);
            Do(_buffer.Settle());
            if (_buffer.Held == 0)
                _bus?.Activity.TurnedIdle();
        }

        if (pause > TimeSpan.Zero)
            await _pause.WaitAsync(pause).ConfigureAwait(false);
        return true;
    }

    /// <summary>The part is stored; false if it was given up before.</summary>
    private bool TryAccept(WriteBehindBatch<TEvent> batch)
    {
        if (!_buffer.TryDecide())
            return false;
        _bus?.WriteBehindTelemetry.Stored(typeof(TEvent), batch.PartCount);
        if (batch.Failures > 0 && batch.IsLastPart)
            Log.StoreRecovered(_logger, typeof(TEvent).Name, batch.Failures + 1);
        return true;
    }

    /// <summary>The store failed on the part: has it tried again, or a half of it; or refuses it, if it is one event that had all its attempts.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="failure">What the store threw.</param>
    /// <param name="pause">How long the store is to be left alone.</param>
    /// <returns>Whether it is refused.</returns>
    private bool TryRefuse(WriteBehindBatch<TEvent> batch, Exception failure, out TimeSpan pause)
    {
        pause = TimeSpan.Zero;
        if (_givingUp.IsCancellationRequested)
            return false;
        int failed = batch.PartCount;
        pause = _options.RetryDelayAfter(batch.AddFailure());
        if (!batch.MayTryAgain(_options.MaxAttempts))
        {
            pause = _options.RetryDelayAfter(1);
            if (!batch.TryHalve())
                return TryGiveUp(batch, failure);
        }

        // Ever more rarely, so that a store that is down for hours does not fill the log.
        if (int.IsPow2(batch.Failures))
            Log.StoreFailed(_logger, failure, typeof(TEvent).Name, failed, batch.Failures, _buffer.Held);
        return false;
    }

    /// <summary>Gives up the one event of the part; false if it was lost before.</summary>
    private bool TryGiveUp(WriteBehindBatch<TEvent> batch, Exception failure)
    {
        if (!_buffer.TryDecide())
            return false;
        batch.NextToBroadcast++;
        (long id, string topic, TEvent @event, DateTimeOffset createdAt) = batch[batch.Start];
        if (_refusals.TryPass())
            Log.EventRefused(_logger, failure, typeof(TEvent).Name, id, topic, batch.FailuresWithPart);
        _bus?.WriteBehindTelemetry.Failed(typeof(TEvent), 1);
        _bus?.StoreFailed(_storeName, new Envelope<object>(topic, @event) { PublishedAt = createdAt }, batch.FailuresWithPart, failure);
        return true;
    }

    private void Broadcast(WriteBehindBatch<TEvent> batch)
    {
        int failures = 0;
        Exception? first = null;
        while (batch.NextToBroadcast < batch.Start + batch.PartCount)
        {
            int index = batch.NextToBroadcast++;
            try
            {
                Broadcast(batch[index], batch.PublisherOf(index));
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

    private void Broadcast(in BufferedEvent<TEvent> buffered, StrongBox<System.Diagnostics.ActivityContext>? publisher)
    {
        if (_bus is not null && publisher is not null)
            _bus.PublishFor(buffered.Topic, buffered.Event, publisher.Value);
        else
            _publisher.Publish(buffered.Topic, buffered.Event);
    }
}
