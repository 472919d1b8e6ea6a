using System.Diagnostics;
using System.Runtime.CompilerServices;
using EventBus.Diagnostics;
using EventBus.Handling;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Publishes events only after they were stored: they gather in memory, a store appends them in batches, and then they are broadcast.
/// For events that must be found again after they were seen; publish those that need not be (progress) directly.
/// </summary>
/// <typeparam name="TEvent">Which events. Each is stored and broadcast as what it is at run time.</typeparam>
/// <remarks>
/// <para>
/// All members are safe to use from any number of threads. Events are stored and broadcast in the order in which they were published,
/// over all topics: when one call returned, or its task completed, before the next began, the store and every subscription see
/// the two in that order.
/// </para>
/// <para>
/// A store that fails loses nothing while the process lives: the same batch is tried again, after delays that grow from
/// <see cref="WriteBehindOptions.RetryDelay"/> to <see cref="WriteBehindOptions.MaxRetryDelay"/>, and what comes after it waits in the
/// buffer. An event that the store refuses for good would hold up all others: with <see cref="WriteBehindOptions.MaxAttempts"/> it is given
/// up. Storing is at-least-once; see <see cref="BufferedEvent{TEvent}.Id"/>. Broadcasting is by <see cref="IEventPublisher.Publish"/>, so a slow subscriber does
/// not hold up the store. What a process that dies had buffered is lost: it was neither stored nor broadcast.
/// </para>
/// <para>
/// With an <see cref="InProcessEventBus"/> as the publisher there are metrics on its meter: <c>eventbus.write_behind.depth</c>,
/// <c>.stored</c>, <c>.failed</c> and <c>.oldest_age</c>; an event is broadcast in the trace it was published in; and what the store refuses
/// is published to <c>$bus:failures</c> and counted in <see cref="EventBusStatistics.HandlerFailures"/>. With another one it is only logged.
/// </para>
/// </remarks>
// _buffer has its own lock and everything that changes. The rest is set in the constructor, but for _disposal, which _gate guards, and
// _spentTicks.
public sealed class WriteBehindPublisher<TEvent> : IWriteBehind, IAsyncDisposable, IDisposable
    where TEvent : notnull
{
    /// <summary>How much of the time for draining a stopping host may use up: the rest is disposal's.</summary>
    private const double ShareOfHostStop = 0.9;

    /// <summary>How long a publisher may take for what is stored when the time for draining is over.</summary>
    private static readonly TimeSpan BroadcastTimeout = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly WriteBehindOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly InProcessEventBus? _bus;
    private readonly WriteBehindBuffer<TEvent> _buffer;
    private readonly WriteBehindPump<TEvent> _pump;
    private Task? _disposal;

    /// <summary>How much of the time for draining a stopping host has used up in vain; interlocked.</summary>
    private long _spentTicks;

    /// <summary>Creates a publisher.</summary>
    /// <param name="publisher">What the events are broadcast by, once they are stored.</param>
    /// <param name="store">What stores them. It is not disposed.</param>
    /// <param name="options">How to buffer and drain; null: the defaults.</param>
    /// <param name="timeProvider">What all time is taken from; null: the bus's, if <paramref name="publisher"/> is one, or the system's.</param>
    /// <param name="loggerFactory">Where failures of the store and losses are logged to; null: nowhere.</param>
    /// <exception cref="ArgumentException">An option is out of its range; the message names all that are.</exception>
    public WriteBehindPublisher(
        IEventPublisher publisher,
        IEventStore<TEvent> store,
        WriteBehindOptions? options = null,
        TimeProvider? timeProvider = null,
        ILoggerFactory? loggerFactory = null)
    {
        ArgumentNullException.ThrowIfNull(publisher);
        ArgumentNullException.ThrowIfNull(store);
        _options = (options ?? new WriteBehindOptions()).Copy();
        _options.Validate(nameof(options));
        _bus = publisher as InProcessEventBus;
        _timeProvider = GuardedTimeProvider.From(timeProvider ?? _bus?.TimeProvider);
        _logger = GuardedLogger.From(loggerFactory);
        _buffer = new WriteBehindBuffer<TEvent>(_options);
        _pump = new WriteBehindPump<TEvent>(_buffer, publisher, store, _options, _timeProvider, _logger);
        EventIds.StartFrom(_timeProvider.GetUtcNow());
        _bus?.Activity.Add(this);
    }

    /// <summary>The number of events buffered: published, and not yet stored and broadcast.</summary>
    public int Count => _buffer.Held;

    long IActivity.Accepted => _buffer.Accepted;

    bool IActivity.IsIdle => _buffer.Held == 0;

    Type IWriteBehind.EventType => typeof(TEvent);

    TimeSpan IWriteBehind.OldestAge
    {
        get
        {
            TimeSpan age = _buffer.Oldest is { } oldest ? _timeProvider.GetUtcNow() - oldest : TimeSpan.Zero;
            return age > TimeSpan.Zero ? age : TimeSpan.Zero;
        }
    }

    private TimeSpan TimeLeft =>
        TimeSpan.FromTicks(Math.Max(0, _options.DrainTimeout.Ticks - Interlocked.Read(ref _spentTicks)));

    string IActivity.Describe() => $"write-behind of {typeof(TEvent).Name}: {_buffer.Held} buffered";

    /// <summary>Buffers an event, to be stored and then broadcast. It never waits.</summary>
    /// <param name="topic">The topic; see <see cref="Topic"/> for what is allowed.</param>
    /// <param name="event">The event. Treat it as immutable.</param>
    /// <returns>False if it was refused, because the buffer is full or this was disposed.</returns>
    /// <exception cref="ArgumentException"><paramref name="topic"/> is no topic, or the bus's own (<c>$…</c>).</exception>
    /// <exception cref="ArgumentNullException"><paramref name="topic"/> or <paramref name="event"/> is null.</exception>
    public bool Publish(string topic, TEvent @event)
    {
        ThrowIfInvalid(topic, @event);
        StrongBox<ActivityContext>? span = WriteBehindEntry<TEvent>.CurrentPublisher();
        if (!_buffer.TryAdd(topic, @event, _timeProvider.GetUtcNow(), span, out WriteBehindWork work))
            return false;
        _pump.Do(work);
        return true;
    }

    /// <summary>Buffers an event, and waits for room if the buffer is full: first come, first served.</summary>
    /// <param name="topic">The topic; see <see cref="Topic"/> for what is allowed.</param>
    /// <param name="event">The event. Treat it as immutable.</param>
    /// <param name="cancellationToken">Cancels the waiting; the event is then not published.</param>
    /// <returns>A task that ends when the event is buffered, not when it is stored: see <see cref="FlushAsync"/>.</returns>
    /// <remarks>While anyone waits, the buffer is full to everyone else.</remarks>
    /// <exception cref="ArgumentException"><paramref name="topic"/> is no topic, or the bus's own (<c>$…</c>).</exception>
    /// <exception cref="ArgumentNullException"><paramref name="topic"/> or <paramref name="event"/> is null.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">This was disposed, before the call or while it waited; the event is not published.</exception>
    public ValueTask PublishAsync(string topic, TEvent @event, CancellationToken cancellationToken = default)
    {
        ThrowIfInvalid(topic, @event);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        StrongBox<ActivityContext>? span = WriteBehindEntry<TEvent>.CurrentPublisher();
        if (!_buffer.TryAddOrWait(topic, @event, _timeProvider.GetUtcNow(), span, out RoomWait<TEvent>? wait, out WriteBehindWork work))
            return ValueTask.FromException(WriteBehindBuffer<TEvent>.RefusalException());
        _pump.Do(work);
        return wait is null ? default : wait.WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Has everything that was published before stored and broadcast, without waiting for the interval; a <see cref="PublishAsync"/> that
    /// began before and still waits for room included.
    /// </summary>
    /// <param name="cancellationToken">Cancels the waiting, not the flush.</param>
    /// <returns>
    /// A task that ends when all of it is stored and broadcast, or given up; see <see cref="WriteBehindOptions.MaxAttempts"/>. While the store
    /// fails, that is not the case.
    /// </returns>
    /// <remarks>The store must not wait for this: it would wait for itself.</remarks>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">This was disposed and could not store everything.</exception>
    public async ValueTask FlushAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Task flushed = _buffer.Flush(out WriteBehindWork work);
        _pump.Do(work);
        await flushed.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Takes no more events, turns away who waits for room, and has the rest stored and broadcast within
    /// <see cref="WriteBehindOptions.DrainTimeout"/>; what was not stored by then is lost, and its number is logged.
    /// </summary>
    /// <returns>A task that ends when everything is broadcast, or the time is over. A store that ignores its token is not waited for.</returns>
    public ValueTask DisposeAsync() => new(DrainOnceAsync());

    /// <summary>Does what <see cref="DisposeAsync"/> does, without waiting for it: the rest is stored and broadcast in the background.</summary>
    public void Dispose() => _ = DrainOnceAsync();

    /// <summary>
    /// Flushes before handlers stop, in a hurry. What is published afterwards, and what the store did not take, is left to disposal.
    /// </summary>
    async Task IActivity.FlushAsync(CancellationToken cancellationToken)
    {
        long started = _timeProvider.GetTimestamp();
        long startedInRealTime = TimeProvider.System.GetTimestamp();
        Task flushed = _buffer.Flush(out WriteBehindWork work);
        _pump.Do(work);
        using (DrainLimit limit = new(TimeLeft * ShareOfHostStop, _timeProvider, cancellationToken))
        {
            _pump.Hurry();
            await flushed.WaitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _pump.Relax();
        }

        if (flushed.IsCompletedSuccessfully)
            return;

        // With a store that is down, stopping and disposing together take the time for draining once, not twice.
        TimeSpan spent = _timeProvider.GetElapsedTime(started), inRealTime = TimeProvider.System.GetElapsedTime(startedInRealTime);
        Interlocked.Add(ref _spentTicks, Math.Max(spent.Ticks, inRealTime.Ticks));
        throw new TimeoutException($"The store of {typeof(TEvent)} did not take what is buffered.");
    }

    private static void ThrowIfInvalid(string topic, TEvent @event)
    {
        TopicRules.ThrowIfNotPublishable(topic);
        if (!typeof(TEvent).IsValueType && @event is null)
            throw new ArgumentNullException(nameof(@event));
    }

    private Task DrainOnceAsync()
    {
        TaskCompletionSource disposal;
        lock (_gate)
        {
            if (_disposal is not null)
                return _disposal;
            disposal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _disposal = disposal.Task;
        }

        _ = DrainAsync(disposal);
        return disposal.Task;
    }

    private async Task DrainAsync(TaskCompletionSource disposal)
    {
        try
        {
            _pump.Do(_buffer.Close());
            _pump.Hurry();
            if (!await IsDrainedWithinAsync(TimeLeft).ConfigureAwait(false))
                await GiveUpAsync().ConfigureAwait(false);
            _pump.StopTimers();
            _bus?.Activity.Remove(this);
        }
        finally
        {
            disposal.SetResult();
        }
    }

    private async ValueTask GiveUpAsync()
    {
        int lost = _buffer.Abandon(out int beingStored);
        _pump.GiveUp();
        if (lost > 0)
        {
            Log.WriteBehindLost(_logger, typeof(TEvent).Name, lost, _options.DrainTimeout, beingStored);
            _bus?.WriteBehindTelemetry.Failed(typeof(TEvent), lost);
        }

        // What is being broadcast is stored, and done in a moment; unless a publisher that is not the bus hangs.
        if (!await IsDrainedWithinAsync(BroadcastTimeout).ConfigureAwait(false))
            Log.BroadcastHangs(_logger, typeof(TEvent).Name, _buffer.Held, BroadcastTimeout);
    }

    private async ValueTask<bool> IsDrainedWithinAsync(TimeSpan timeout)
    {
        if (_buffer.Drained.IsCompleted)
            return true;
        using DrainLimit limit = new(timeout, _timeProvider);
        await _buffer.Drained.WaitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return _buffer.Drained.IsCompleted;
    }
}
