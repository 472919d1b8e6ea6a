using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace EventBus.Handling;

/// <summary>The events a write-behind holds, in the order of their ids, and who waits for room or for a flush.</summary>
/// <remarks>
/// <para><see cref="_gate"/> guards everything; <see cref="_held"/> and <see cref="_accepted"/> are also read without it. No user code
/// runs under it: what is to be done outside comes back as <see cref="WriteBehindWork"/>, and waits that are ended under it run their
/// continuations elsewhere.</para>
/// <para>Invariants: ids grow from the batch being stored over the queue to the line of those waiting for room, so one id tells what a
/// flush has to wait for. While there is a line, the buffer is full to everyone else. There is one pump at most, and it runs while an
/// event up to <see cref="_dueThrough"/>, or a full batch, is queued. The timer runs while an event is queued that is not due by its id;
/// with nothing queued it goes off once at most.</para>
/// </remarks>
internal sealed class WriteBehindBuffer<TEvent>
    where TEvent : notnull
{
    private const string NameOfPublisher = nameof(WriteBehindPublisher<TEvent>);
    private readonly Lock _gate = new();
    private readonly Queue<BufferedEvent<TEvent>> _queue = new();

    private readonly RoomLine<TEvent> _line = new();

    private readonly FlushWaits _flushes = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _capacity;
    private readonly int _maxBatchSize;
    private readonly bool _isDueAtOnce;

    /// <summary>The batch the pump is at; null: none.</summary>
    private BufferedEvent<TEvent>[]? _batch;

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
    private bool _isBroadcasting;
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
        _queue.TryPeek(out BufferedEvent<TEvent> first) &&
        (first.Id <= _dueThrough || _queue.Count >= Math.Min(_maxBatchSize, _capacity));

    /// <summary>Buffers an event; false if there is no room or the buffer is closed.</summary>
    public bool TryAdd(string topic, TEvent @event, DateTimeOffset now, out WriteBehindWork work)
    {
        lock (_gate)
        {
            work = WriteBehindWork.None;
            if (_isClosed || !HasRoom)
                return false;
            work = Enqueue(Number(topic, @event, now));
            Volatile.Write(ref _held, _held + 1);
            return true;
        }
    }

    /// <summary>Buffers an event, or puts it into the line for room; false if the buffer is closed.</summary>
    public bool TryAddOrWait(string topic, TEvent @event, DateTimeOffset now, out RoomWait<TEvent>? wait, out WriteBehindWork work)
    {
        lock (_gate)
        {
            (wait, work) = (null, WriteBehindWork.None);
            if (_isClosed)
                return false;
            if (HasRoom)
            {
                work = Enqueue(Number(topic, @event, now));
                Volatile.Write(ref _held, _held + 1);
            }
            else
            {
                wait = new RoomWait<TEvent>(this, Number(topic, @event, now));
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
            _dueThrough = Math.Max(_dueThrough, _lastId);
            work = PumpIfDue();
            return _flushes.For(_lastId);
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

    /// <summary>Takes the next batch for the pump; without one, the pump has ended.</summary>
    public bool TryTakeBatch([NotNullWhen(true)] out BufferedEvent<TEvent>[]? batch)
    {
        lock (_gate)
        {
            Debug.Assert(_isPumping && _batch is null, "There is one pump, and it takes one batch at a time.");
            if (!IsDue)
            {
                // What a burst needed is given back once it is over.
                if (_queue.Count == 0 && _queue.Capacity > 2 * _maxBatchSize)
                    _queue.TrimExcess(_maxBatchSize);
                _isPumping = false;
                batch = null;
                return false;
            }

            batch = new BufferedEvent<TEvent>[Math.Min(_queue.Count, _maxBatchSize)];
            for (int i = 0; i < batch.Length; i++)
                batch[i] = _queue.Dequeue();
            _batch = batch;
            return true;
        }
    }

    /// <summary>The batch is stored: from here on it cannot be lost. False if it was given up before.</summary>
    public bool TryBeginBroadcast()
    {
        lock (_gate)
        {
            _isBroadcasting = _batch is not null;
            return _isBroadcasting;
        }
    }

    /// <summary>The batch is broadcast: lets in who waits for its room, and ends the flushes that waited for it.</summary>
    public WriteBehindWork Settle()
    {
        lock (_gate)
        {
            Debug.Assert(_batch is not null && _isBroadcasting, "A batch is stored and broadcast before it is done.");
            WriteBehindWork work = WriteBehindWork.None;
            int held = _held - _batch.Length;
            (_batch, _isBroadcasting) = (null, false);

            // Written once, with those let in: whoever reads it without the lock must not find it empty in between.
            for (; held < _capacity && _line.TryTakeFirst(out RoomWait<TEvent>? wait); held++)
            {
                work |= Enqueue(wait.Buffered);
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

    /// <summary>Gives up all that is held, but for a batch that is being broadcast.</summary>
    /// <param name="beingStored">How many of those given up the store is busy with.</param>
    /// <returns>How many are lost.</returns>
    public int Abandon(out int beingStored)
    {
        lock (_gate)
        {
            Debug.Assert(_isClosed, "Only what takes no more can be given up.");
            beingStored = _isBroadcasting ? 0 : _batch?.Length ?? 0;
            _lost = _queue.Count + beingStored;
            _queue.Clear();
            if (!_isBroadcasting)
                _batch = null;
            _flushes.FailAfter(_batch?[^1].Id ?? 0, LossException);
            Volatile.Write(ref _held, _batch?.Length ?? 0);
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
    private WriteBehindWork Enqueue(BufferedEvent<TEvent> buffered)
    {
        Volatile.Write(ref _accepted, _accepted + 1);
        _queue.Enqueue(buffered);
        _lastQueuedId = buffered.Id;
        if (_isDueAtOnce)
            _dueThrough = Math.Max(_dueThrough, buffered.Id);
        WriteBehindWork work = PumpIfDue();

        // Also when it made the batch full: the pump may take the batch without it.
        if (_isTimerRunning || buffered.Id <= _dueThrough)
            return work;
        _isTimerRunning = true;
        return work | WriteBehindWork.StartTimer;
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
        long oldest = _batch is not null ? _batch[0].Id
            : _queue.TryPeek(out BufferedEvent<TEvent> queued) ? queued.Id
            : _line.FirstId;
        _flushes.EndBefore(oldest);
    }

    private void EndIfDrained()
    {
        if (_isClosed && _held == 0)
            _drained.TrySetResult();
    }
}
