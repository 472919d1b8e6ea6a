using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using EventBus.Diagnostics;

namespace EventBus.Handling;

/// <summary>The events a write-behind holds, in the order of their ids, and who waits for room or for a flush.</summary>
/// <remarks>
/// <para><see cref="_gate"/> guards everything; <see cref="_held"/> and <see cref="_accepted"/> are also read without it. No user code
/// runs under it: what is to be done outside comes back as <see cref="WriteBehindWork"/>, and waits that are ended under it run their
/// continuations elsewhere.</para>
/// <para>Invariants: ids grow from the batch being stored over the queue to the line of those waiting for room, so one id tells what a
/// flush has to wait for. While there is a line, the buffer is full to everyone else. There is one pump at most, and it runs while an
/// event up to <see cref="_dueThrough"/>, or a full batch, is queued, and until its batch is done. The timer runs while an event is queued that is not due by its id;
/// with nothing queued it goes off once at most.</para>
/// <para>What may fail for want of memory is done before anything is changed: so whoever it fails for can do the same again.</para>
/// </remarks>
internal sealed class WriteBehindBuffer<TEvent>
    where TEvent : notnull
{
    private const string NameOfPublisher = nameof(WriteBehindPublisher<TEvent>);
    private readonly Lock _gate = new();
    private readonly Queue<WriteBehindEntry<TEvent>> _queue = new();

    private readonly RoomLine<TEvent> _line = new();

    private readonly FlushWaits _flushes = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _capacity;
    private readonly int _maxBatchSize;
    private readonly bool _isDueAtOnce;

    /// <summary>The batch the pump is at; null: none.</summary>
    private WriteBehindBatch<TEvent>? _batch;

    /// <summary>Whether the fate of the batch's present part is decided, stored or refused, so that it can be given up no more.</summary>
    private bool _isPartDecided;

    /// <summary>The number of events queued and in the batch.</summary>
    private int _held;

    /// <summary>The number of events ever taken on; grows before <see cref="_held"/> does.</summary>
    private long _accepted;

    /// <summary>The id given last, and the one queued last: they differ while there is a line.</summary>
    private long _lastId;
    private long _lastQueuedId;
    private long _dueThrough;
    private bool _isTimerRunning;
    private bool _isPumping;
    private bool _isClosed;

    /// <summary>The number of events that were given up.</summary>
    private int _lost;

    public WriteBehindBuffer(WriteBehindOptions options)
    {
        _capacity = options.Capacity;
        _maxBatchSize = options.MaxBatchSize;
        _isDueAtOnce = options.FlushInterval == TimeSpan.Zero;
    }

    public int Held => Volatile.Read(ref _held);

    public long Accepted => Volatile.Read(ref _accepted);

    /// <summary>Ends when the buffer is closed and holds nothing any more.</summary>
    public Task Drained => _drained.Task;

    private bool HasRoom => _held < _capacity && _line.IsEmpty;

    private bool IsDue =>
        _queue.TryPeek(out WriteBehindEntry<TEvent> first) &&
        (first.Buffered.Id <= _dueThrough || _queue.Count >= Math.Min(_maxBatchSize, _capacity));

    /// <summary>When the oldest event that is held was published; null if none is.</summary>
    public DateTimeOffset? Oldest
    {
        get
        {
            lock (_gate)
            {
                return _batch is not null ? _batch[_batch.Start].CreatedAt
                    : _queue.TryPeek(out WriteBehindEntry<TEvent> first) ? first.Buffered.CreatedAt
                    : null;
            }
        }
    }

    /// <summary>Buffers an event; false if there is no room or the buffer is closed.</summary>
    public bool TryAdd(
        string topic, TEvent @event, DateTimeOffset now, StrongBox<ActivityContext>? publisher, out WriteBehindWork work)
    {
        lock (_gate)
        {
            work = WriteBehindWork.None;
            if (_isClosed || !HasRoom)
                return false;
            work = Enqueue(new(Number(topic, @event, now), publisher));
            Volatile.Write(ref _held, _held + 1);
            return true;
        }
    }

    /// <summary>Buffers an event, or puts it into the line for room; false if the buffer is closed.</summary>
    public bool TryAddOrWait(
        string topic,
        TEvent @event,
        DateTimeOffset now,
        StrongBox<ActivityContext>? publisher,
        out RoomWait<TEvent>? wait,
        out WriteBehindWork work)
    {
        lock (_gate)
        {
            (wait, work) = (null, WriteBehindWork.None);
            if (_isClosed)
                return false;
            if (HasRoom)
            {
                work = Enqueue(new(Number(topic, @event, now), publisher));
                Volatile.Write(ref _held, _held + 1);
            }
            else
            {
                wait = new RoomWait<TEvent>(this, new(Number(topic, @event, now), publisher));
                _line.Append(wait);
            }

            return true;
        }
    }

    /// <summary>Takes an event out of the line; false if its wait has ended already.</summary>
    public bool TryLeaveLine(RoomWait<TEvent> wait)
    {
        lock (_gate)
        {
            if (!_line.TryRemove(wait))
                return false;

            // A flush may have waited for nothing but this one.
            EndFlushes();
            return true;
        }
    }

    /// <summary>Makes all that was published before due, and returns the wait for it.</summary>
    public Task Flush(out WriteBehindWork work)
    {
        lock (_gate)
        {
            work = WriteBehindWork.None;
            if (_lost > 0)
                return Task.FromException(LossException());
            if (_held == 0 && _line.IsEmpty)
                return Task.CompletedTask;
            Task flushed = _flushes.For(_lastId);
            _dueThrough = Math.Max(_dueThrough, _lastId);
            work = PumpIfDue();
            return flushed;
        }
    }

    /// <summary>The timer went off: all that is queued is due.</summary>
    public WriteBehindWork BecomeDue()
    {
        lock (_gate)
        {
            _isTimerRunning = false;
            _dueThrough = Math.Max(_dueThrough, _lastQueuedId);
            return PumpIfDue();
        }
    }

    /// <summary>Takes the batch that the pump is to go on with, or the next one; without one, the pump has ended.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="isDecided">Whether the fate of its present part is decided, so that the store must not be handed it again.</param>
    public bool TryTakeBatch([NotNullWhen(true)] out WriteBehindBatch<TEvent>? batch, out bool isDecided)
    {
        lock (_gate)
        {
            Debug.Assert(_isPumping, "There is one pump.");
            if (_batch is null && IsDue)
                _batch = LockedTakeBatch();
            (batch, isDecided) = (_batch, _isPartDecided);
            if (batch is not null)
                return true;

            // What a burst needed is given back once it is over.
            if (_queue.Count == 0 && _queue.Capacity > 2 * _maxBatchSize)
                _queue.TrimExcess(_maxBatchSize);
            _isPumping = false;
            return false;
        }
    }

    /// <summary>The fate of the part that the store was handed is decided: from here on it cannot be lost.</summary>
    /// <returns>False if it was given up before.</returns>
    public bool TryDecide()
    {
        lock (_gate)
            return _isPartDecided = _batch is not null;
    }

    /// <summary>The part is broadcast, or refused: lets in who waits for its room, and ends the flushes that waited for it.</summary>
    public WriteBehindWork Settle()
    {
        lock (_gate)
        {
            Debug.Assert(_batch is not null && _isPartDecided, "A part's fate is decided before it is done.");
            WriteBehindWork work = WriteBehindWork.None;
            int held = _held - _batch.PartCount;
            _queue.EnsureCapacity(_queue.Count + Math.Min(_line.Count, _capacity - held));
            _isPartDecided = false;
            if (!_batch.MoveNext())
                _batch = null;

            // Written once, with those let in: whoever reads it without the lock must not find it empty in between.
            for (; held < _capacity && _line.TryTakeFirst(out RoomWait<TEvent>? wait); held++)
            {
                work |= Enqueue(wait.Entry);
                wait.SetResult();
            }

            Volatile.Write(ref _held, held);
            EndFlushes();
            EndIfDrained();
            return work;
        }
    }

    /// <summary>Takes no more events, makes all that are held due, and turns away who waits for room.</summary>
    public WriteBehindWork Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            while (_line.TryTakeFirst(out RoomWait<TEvent>? wait))
                wait.SetException(RefusalException());
            EndFlushes();
            EndIfDrained();
            _dueThrough = long.MaxValue;
            return PumpIfDue();
        }
    }

    /// <summary>Gives up all that is held, but for a part whose fate is decided.</summary>
    /// <param name="beingStored">How many of those given up the store was handed.</param>
    /// <returns>How many are lost.</returns>
    public int Abandon(out int beingStored)
    {
        lock (_gate)
        {
            Debug.Assert(_isClosed, "Only what takes no more can be given up.");
            int kept = _isPartDecided ? _batch!.PartCount : 0;
            _lost = _held - kept;
            beingStored = _lost - _queue.Count;
            _queue.Clear();
            if (_isPartDecided)
                _batch!.EndAfterPart();
            else
                _batch = null;
            _flushes.FailAfter(_batch is null ? 0 : _batch[_batch.End - 1].Id, LossException);
            Volatile.Write(ref _held, kept);
            EndIfDrained();
            return _lost;
        }
    }

    /// <summary>Why an event is not taken on any more.</summary>
    public static ObjectDisposedException RefusalException() => new(NameOfPublisher);

    private ObjectDisposedException LossException() =>
        new(NameOfPublisher, $"The write-behind was disposed, and {_lost} event(s) could not be stored within its drain time-out.");

    // What follows is called under the lock.
    private BufferedEvent<TEvent> Number(string topic, TEvent @event, DateTimeOffset now)
    {
        _lastId = EventIds.Next();
        return new BufferedEvent<TEvent>(_lastId, topic, @event, now);
    }

    /// <summary>Queues an event; counting it as held is the caller's, after it.</summary>
    private WriteBehindWork Enqueue(WriteBehindEntry<TEvent> entry)
    {
        _queue.Enqueue(entry);
        Volatile.Write(ref _accepted, _accepted + 1);
        _lastQueuedId = entry.Buffered.Id;
        if (_isDueAtOnce)
            _dueThrough = Math.Max(_dueThrough, _lastQueuedId);
        WriteBehindWork work = PumpIfDue();

        // Also when it made the batch full: the pump may take the batch without it.
        if (_isTimerRunning || _lastQueuedId <= _dueThrough)
            return work;
        _isTimerRunning = true;
        return work | WriteBehindWork.StartTimer;
    }

    private WriteBehindBatch<TEvent> LockedTakeBatch()
    {
        BufferedEvent<TEvent>[] events = new BufferedEvent<TEvent>[Math.Min(_queue.Count, _maxBatchSize)];
        StrongBox<ActivityContext>?[]? publishers = BusTelemetry.IsTraced ? new StrongBox<ActivityContext>?[events.Length] : null;
        WriteBehindBatch<TEvent> batch = new(events, publishers);
        for (int i = 0; i < events.Length; i++)
        {
            WriteBehindEntry<TEvent> entry = _queue.Dequeue();
            events[i] = entry.Buffered;
            if (publishers is not null)
                publishers[i] = entry.Publisher;
        }

        return batch;
    }

    private WriteBehindWork PumpIfDue()
    {
        if (_isPumping || !IsDue)
            return WriteBehindWork.None;
        _isPumping = true;
        return WriteBehindWork.StartPump;
    }

    private void EndFlushes()
    {
        long oldest = _batch is not null ? _batch[_batch.Start].Id
            : _queue.TryPeek(out WriteBehindEntry<TEvent> queued) ? queued.Buffered.Id
            : _line.FirstId;
        _flushes.EndBefore(oldest);
    }

    private void EndIfDrained()
    {
        if (_isClosed && _held == 0)
            _drained.TrySetResult();
    }
}
