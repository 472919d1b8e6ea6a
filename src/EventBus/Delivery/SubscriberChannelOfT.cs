using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>One subscriber's bounded channel: its queue, what it does when full, and its replay.</summary>
/// <inheritdoc cref="SubscriberChannel" path="/remarks"/>
internal sealed class SubscriberChannel<TEvent> : SubscriberChannel
    where TEvent : notnull
{
    private readonly int _capacity;
    private readonly OverflowPolicy _overflow;
    private SlotBuffer<TEvent> _queue;

    /// <summary>History still to be read before the queue; null when there is none (any more).</summary>
    private ReplayCursor<TEvent>? _replay;

    /// <summary>Publishers waiting for room; only under <see cref="OverflowPolicy.Wait"/>.</summary>
    private WaitQueue<WriteWait> _writers;

    /// <summary>The ordinal of the event that was read last: the gap to the next one is what was missed between them.</summary>
    private long _lastRead;

    /// <summary>Whether a publisher waited in vain and nothing has been read since.</summary>
    private bool _isStalled;

    /// <summary>What readers took out and have not finished with.</summary>
    private HeldEvents<TEvent> _held;

    public SubscriberChannel(IChannelOwner owner, SubscriberProfile profile)
        : base(owner, profile)
    {
        _capacity = profile.Capacity;
        _overflow = profile.Overflow;
    }

    public override bool StoresValues => typeof(TEvent).IsValueType;

    protected override int LockedReadable => (_replay?.Remaining ?? 0) + _queue.Count + (_held.HasReturned ? 1 : 0);

    protected override int LockedCount => (_replay?.Remaining ?? 0) + _queue.Count + _held.Count;

    protected override int LockedQueued => _queue.Count + _held.Queued;

    private bool LockedIsFull => LockedQueued >= _capacity || _writers.First is not null;

    /// <summary>Hands over history; before the subscription is handed out.</summary>
    public void Attach(ReplayCursor<TEvent> replay)
    {
        bool finished;
        using (ChannelGate.Enter())
        {
            Debug.Assert(_replay is null && _lastRead == 0, "replay comes first");
            if (LockedEndStart() && replay.Remaining > 0)
                _replay = replay;
            finished = LockedTryFinish();
        }

        if (finished)
            AfterFinish();
    }

    public override void OfferObject(object @event, ref FanOut fanOut)
    {
        if (@event is TEvent mine)
            Offer(in mine, ref fanOut);
    }

    /// <summary>Queues an event, or does with it what the overflow policy says. Wakes nobody: <see cref="FanOut"/> does.</summary>
    public void Offer(in TEvent @event, ref FanOut fanOut)
    {
        ChannelGate.EnterBare();
        if (!LockedIsOpen || LockedIsFull || !_queue.HasSpace)
        {
            LockedOfferSlowly(in @event, ref fanOut);
            return;
        }

        // Nothing from here to the exit can throw.
        fanOut.Matched++;
        _queue.AppendInSpace().Fill(in @event, LockedNextOrdinal(), in fanOut.Stamp);
        LockedWakeReaders(ref fanOut);
        ChannelGate.Exit();
    }

    /// <summary>Takes the next event.</summary>
    public bool TryRead(out Envelope<TEvent> envelope) => TryTake(hold: false, out envelope, out _, out _);

    /// <summary>Takes the next event for a handler, that may hold it back: then it still takes up its room.</summary>
    public bool TryTake(bool hold, out Taken<TEvent> taken)
    {
        bool isTaken = TryTake(hold, out Envelope<TEvent> envelope, out EventOrigin? origin, out bool isReplayed);
        taken = new Taken<TEvent>(envelope, origin!, isReplayed);
        return isTaken;
    }

    /// <summary>Looks at the next event without taking it.</summary>
    public bool TryPeek(out Envelope<TEvent> envelope)
    {
        using (ChannelGate.Enter())
        {
            if (_held.TryPeek(out Taken<TEvent> returned))
            {
                envelope = returned.Envelope;
                return true;
            }

            if (_replay is not null)
            {
                _replay.Peek(out Slot<TEvent> replayed);
                envelope = replayed.ToEnvelope(missed: 0);
                return true;
            }

            if (_queue.Count > 0)
            {
                ref readonly Slot<TEvent> slot = ref _queue.First;
                envelope = slot.ToEnvelope(slot.Ordinal - _lastRead - 1);
                return true;
            }
        }

        envelope = default;
        return false;
    }

    /// <summary>An event that was held back is handled now, and makes room.</summary>
    /// <returns>False if the subscriber left meanwhile: the event was discarded.</returns>
    public bool Release(in Taken<TEvent> taken)
    {
        WriteWait? served;
        ReadWait? reader = null;
        bool finished;
        using (ChannelGate.Enter())
        {
            if (_held.Count == 0)
                return false;
            served = LockedUnhold(taken);

            // This may fill an empty queue that the handler waits on.
            if (served is not null)
                reader = LockedTakeReaders();
            _isStalled = false;
            LockedCountDelivered(taken.Origin);
            if (LockedQueued == 0)
                LockedEndEpisode();
            finished = LockedTryFinish();
        }

        served?.Publish.WaitEnded(WaitEnd.Delivered);
        ReadWait.CompleteAll(reader, readable: true);
        AfterTaking(taken.Envelope.PublishedAtTicks, finished);
        return true;
    }

    /// <summary>An event that was held back will not be handled: whoever reads next gets it first.</summary>
    public void GiveBack(in Taken<TEvent> taken)
    {
        ReadWait? reader;
        using (ChannelGate.Enter())
        {
            // Discarded, if the subscriber has left.
            if (_held.Count == 0)
                return;
            _held.GiveBack(taken);
            reader = LockedTakeReaders();
        }

        ReadWait.CompleteAll(reader, readable: true);
    }

    /// <summary>A reader that may have been told of an event leaves without taking it: another one is told.</summary>
    public void PassOn()
    {
        ReadWait? reader;
        using (ChannelGate.Enter())
            reader = LockedReadable > 0 ? LockedTakeReaders() : null;
        ReadWait.CompleteAll(reader, readable: true);
    }

    /// <summary>Loses an event that waits, unless its wait has ended.</summary>
    public void GiveUp(WaitingEvent<TEvent> wait, WaitEnd why)
    {
        Loss loss;
        using (ChannelGate.Enter())
        {
            if (!_writers.TryRemove(wait))
                return;
            if (why == WaitEnd.TimedOut)
                _isStalled = true;
            loss = LockedLose(wait.Stamp.Origin, wait.Stamp.Origin.IsOwn);
        }

        wait.Publish.WaitEnded(why);
        Report(loss);
    }

    protected override WriteWait? LockedEndWaits(ChannelEnd end, ref Loss? loss)
    {
        WriteWait? first = _writers.TakeAll();
        int count = 0;
        for (WriteWait? wait = first; wait is not null; wait = wait.Next)
            count++;
        if (first is null)
            return null;

        // The bus never waits for room, so none of these is its own.
        if (end == ChannelEnd.Left)
            LockedCountDiscarded(count, own: 0);
        else
            loss = LockedLose(((WaitingEvent<TEvent>)first).Stamp.Origin, isOwn: false, count);
        return first;
    }

    protected override void LockedDiscard()
    {
        LockedCountDiscarded(LockedCount, LockedOwnQueued());
        _queue.Clear();
        _replay = null;
        _held = default;
    }

    protected override int LockedOwnQueued() => _held.Own + (Profile.ListensToOwn ? _queue.CountOwn() : 0);

    /// <remarks>The envelope is made straight from the slot: an event is copied once on its way out.</remarks>
    private bool TryTake(
        bool hold, out Envelope<TEvent> envelope, [NotNullWhen(true)] out EventOrigin? origin, out bool isReplayed)
    {
        WriteWait? served = null;
        ReadWait? reader = null;
        bool finished;
        using (ChannelGate.Enter())
        {
            isReplayed = false;
            bool wasHeld = _held.HasReturned;
            if (wasHeld)
            {
                Taken<TEvent> returned = _held.TakeReturned();
                (envelope, origin, isReplayed) = returned;
                if (!hold)
                    served = LockedUnhold(returned);
            }
            else if (_replay is not null)
            {
                _replay.Read(out Slot<TEvent> replayed);
                if (_replay.Remaining == 0)
                    _replay = null;
                isReplayed = true;
                origin = replayed.Origin;
                envelope = replayed.ToEnvelope(missed: 0);
            }
            else if (_queue.Count > 0)
            {
                ref readonly Slot<TEvent> first = ref _queue.First;
                origin = first.Origin;
                envelope = first.ToEnvelope(first.Ordinal - _lastRead - 1);
                _lastRead = first.Ordinal;
                _queue.RemoveFirst();
                if (!hold)
                    served = LockedServeWriter();
            }
            else
            {
                origin = null;
                envelope = default;
                return false;
            }

            // This reader was told of the event it took: of the one that came after it another has to be.
            if (served is not null)
                reader = LockedTakeReaders();

            // Reading replay does not make room, but it shows that the subscriber is alive.
            _isStalled = false;
            if (!hold)
                LockedCountDelivered(origin);
            else if (!wasHeld)
                _held.Hold(origin, isReplayed);
            if (LockedQueued == 0)
                LockedEndEpisode();
            finished = LockedTryFinish();
        }

        served?.Publish.WaitEnded(WaitEnd.Delivered);
        ReadWait.CompleteAll(reader, readable: true);
        if (!hold)
            AfterTaking(envelope.PublishedAtTicks, finished);
        return true;
    }

    private void AfterTaking(long publishedAtTicks, bool finished)
    {
        if (finished)
            AfterFinish();
        Owner.Telemetry.Consumed(Profile.Tags, publishedAtTicks, Owner.TimeProvider);
    }

    /// <summary>An event is held back no longer.</summary>
    /// <returns>Who gets its room.</returns>
    private WaitingEvent<TEvent>? LockedUnhold(in Taken<TEvent> taken)
    {
        _held.Release(taken);
        return taken.IsReplayed ? null : LockedServeWriter();
    }

    /// <summary>What the common case leaves: a channel that has ended, is full, or must grow. Leaves the gate.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LockedOfferSlowly(in TEvent @event, ref FanOut fanOut)
    {
        using (ChannelGate.Scope())
        {
            if (!LockedIsOpen)
                return;
            fanOut.Matched++;
            long ordinal = LockedNextOrdinal();
            try
            {
                if (LockedIsFull)
                {
                    LockedOfferToFull(@event, ordinal, ref fanOut);
                }
                else
                {
                    _queue.Append().Fill(in @event, ordinal, in fanOut.Stamp);
                    LockedWakeReaders(ref fanOut);
                }
            }
            catch (OutOfMemoryException)
            {
                // This subscription's loss, and nobody else's. Whatever threw allocates before it changes anything.
                EventOrigin origin = fanOut.Stamp.Origin;
                fanOut.Add(LockedLose(origin, origin.IsOwn));
            }
        }
    }

    private void LockedOfferToFull(TEvent @event, long ordinal, ref FanOut fanOut)
    {
        EventOrigin origin = fanOut.Stamp.Origin;
        switch (_overflow)
        {
            case OverflowPolicy.Wait when fanOut.MayWait && !_isStalled && Profile.WaitTimeout > TimeSpan.Zero:
                PendingPublish pending = fanOut.Pending ??= new PendingPublish();
                WaitingEvent<TEvent> wait = new(this, pending, @event, ordinal, fanOut.Stamp);
                pending.Add(wait);
                _writers.Append(wait);
                break;

            // A handler may hold back all there is, and leave nothing to evict.
            case OverflowPolicy.DropOldest when _queue.Count > 0:
                fanOut.Add(LockedLose(origin, _queue.First.Origin.IsOwn));
                _queue.RemoveFirst();
                _queue.Append().Fill(in @event, ordinal, in fanOut.Stamp);
                break;

            case OverflowPolicy.DropNewest when _queue.Count > 0:
                fanOut.Add(LockedLose(origin, _queue.Last.Origin.IsOwn));
                _queue.RemoveLast();
                _queue.Append().Fill(in @event, ordinal, in fanOut.Stamp);
                break;

            case OverflowPolicy.Close:
                // First what may find no memory: the loss is counted once, here or by whoever catches that.
                LockedOverflow(ref fanOut);
                fanOut.Add(LockedLose(origin, origin.IsOwn));
                break;

            default:
                fanOut.Add(LockedLose(origin, origin.IsOwn));
                break;
        }
    }

    /// <summary>Hands the room that a read made to whoever has waited longest.</summary>
    private WaitingEvent<TEvent>? LockedServeWriter()
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
}
