namespace EventBus.Delivery;

/// <summary>What one member has beside its group's log: a queue of its own, a replay, events held back, publishers that wait for room.</summary>
/// <remarks>
/// <para>Most never need one; it is made when the first of this is. The channel's gate guards everything.</para>
/// <para>
/// Events are read in this order: one that was given back, the replay, what is to be read in the log, the queue, which has only what came
/// after that.
/// </para>
/// </remarks>
internal sealed class Lane<TEvent>
    where TEvent : notnull
{
    private SlotBuffer<TEvent> _queue;

    /// <summary>Publishers waiting for room; only under <see cref="OverflowPolicy.Wait"/>.</summary>
    private WaitQueue<WriteWait> _writers;

    private HeldEvents<TEvent> _held;

    /// <summary>What was offered to the member alone.</summary>
    public ref SlotBuffer<TEvent> Queue => ref _queue;

    public ref WaitQueue<WriteWait> Writers => ref _writers;

    /// <summary>What readers took out and have not finished with.</summary>
    public ref HeldEvents<TEvent> Held => ref _held;

    /// <summary>History still to be read before everything else; null when there is none (any more).</summary>
    public ReplayCursor<TEvent>? Replay { get; private set; }

    /// <summary>Whether a publisher waited in vain and nothing has been read since.</summary>
    public bool IsStalled { get; set; }

    /// <summary>What can be read here, as opposed to what is held back.</summary>
    public int Readable => (Replay?.Remaining ?? 0) + _queue.Count + (_held.HasReturned ? 1 : 0);

    /// <summary>What waits to be read here, all included.</summary>
    public int Count => (Replay?.Remaining ?? 0) + _queue.Count + _held.Count;

    /// <summary>What takes up room.</summary>
    public int Queued => _queue.Count + _held.Queued;

    /// <summary>Whether nothing is here that keeps the member from the log.</summary>
    public bool IsEmpty => _queue.Count == 0 && _writers.First is null;

    public void Attach(ReplayCursor<TEvent> replay) => Replay = replay;

    /// <summary>Takes the next event of the replay; only while there is one.</summary>
    public void ReadReplay(out Slot<TEvent> slot)
    {
        Replay!.Read(out slot);
        if (Replay.Remaining == 0)
            Replay = null;
    }

    /// <summary>Hands the room that a read made to whoever has waited longest.</summary>
    public WaitingEvent<TEvent>? ServeWriter()
    {
        if (_writers.First is not WaitingEvent<TEvent> wait)
            return null;
        try
        {
            _queue.Append().Fill(wait.Event, wait.Ordinal, wait.Stamp);
        }
        catch (OutOfMemoryException)
        {
            // It goes on waiting: for the next read, or until its time is over.
            return null;
        }

        _writers.TryRemove(wait);
        return wait;
    }

    /// <summary>Lets go of all there is to be read.</summary>
    public void Clear()
    {
        _queue.Clear();
        _held = default;
        Replay = null;
    }
}
