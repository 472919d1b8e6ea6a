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
    private WriteWaitQueue _writers;

    /// <summary>The ordinal of the event that was read last: the gap to the next one is what was missed between them.</summary>
    private long _lastRead;

    /// <summary>Whether a publisher waited in vain and nothing has been read since.</summary>
    private bool _isStalled;

    /// <summary>Events taken out by a handler but held back for their topic: from the queue (they take up room) and from replay.</summary>
    private int _held;
    private int _heldReplay;

    /// <summary>How many of both are the bus's own.</summary>
    private int _heldOwn;

    public SubscriberChannel(IChannelOwner owner, SubscriberProfile profile)
        : base(owner, profile)
    {
        _capacity = profile.Capacity;
        _overflow = profile.Overflow;
    }

    public override bool StoresValues => typeof(TEvent).IsValueType;

    protected override int LockedReadable => (_replay?.Remaining ?? 0) + _queue.Count;

    protected override int LockedCount => LockedReadable + _held + _heldReplay;

    protected override int LockedQueued => _queue.Count + _held;

    private bool LockedIsFull => _queue.Count + _held >= _capacity || _writers.First is not null;

    /// <summary>Hands over history; before the subscription is handed out.</summary>
    public void Attach(ReplayCursor<TEvent> replay)
    {
        bool finished;
        using (ChannelGate.Enter())
        {
            Debug.Assert(_replay is null && _lastRead == 0, "replay comes first");
            if (replay.Remaining > 0)
                _replay = replay;
            finished = LockedEndStart();
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
        Fill(ref _queue.AppendInSpace(), in @event, LockedNextOrdinal(), in fanOut.Stamp);
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
            if (_replay is not null)
            {
                _replay.Peek(out Slot<TEvent> replayed);
                envelope = replayed.ToEnvelope(missed: 0);
                return true;
            }

            if (_queue.Count > 0)
            {
                ref readonly Slot<TEvent> slot = ref _queue[0];
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
        WriteWait? served = null;
        ReadWait? readers = null;
        bool finished;
        using (ChannelGate.Enter())
        {
            if (_held + _heldReplay == 0)
                return false;
            if (taken.IsReplayed)
            {
                _heldReplay--;
            }
            else
            {
                _held--;
                served = LockedServeWriter();

                // Unlike a read this may fill an empty queue that the handler waits on.
                if (served is not null)
                    readers = LockedTakeReaders();
            }

            _isStalled = false;
            _heldOwn -= taken.Origin.IsOwn ? 1 : 0;
            LockedCountDelivered(taken.Origin);
            if (_queue.Count == 0 && _held == 0)
                LockedEndEpisode();
            finished = LockedTryFinish();
        }

        served?.Publish.WaitEnded(WaitEnd.Delivered);
        ReadWait.CompleteAll(readers, readable: true);
        if (finished)
            AfterFinish();
        Owner.Telemetry.Consumed(Profile.Tags, taken.Envelope.PublishedAtTicks, Owner.TimeProvider);
        return true;
    }

    protected override WriteWait? LockedEndWaits(ChannelEnd end, ref Loss? loss)
    {
        WriteWait? first = _writers.First;
        int count = 0;
        for (WriteWait? wait = first; wait is not null; wait = wait.Next)
        {
            wait.IsWaiting = false;
            count++;
        }

        _writers = default;
        if (first is null)
            return null;

        // The bus never waits for room, so none of these is its own.
        if (end == ChannelEnd.Left)
            LockedCountDiscarded(count, own: 0);
        else
            loss = LockedLose(((RoomWait)first).Stamp.Origin, isOwn: false, count);
        return first;
    }

    protected override void LockedDiscard()
    {
        LockedCountDiscarded(LockedCount, LockedOwnQueued());
        _queue.Clear();
        _replay = null;
        _held = _heldReplay = _heldOwn = 0;
    }

    protected override int LockedOwnQueued()
    {
        int own = _heldOwn;
        if (Profile.ListensToOwn)
        {
            for (int i = 0; i < _queue.Count; i++)
                own += _queue[i].Origin.IsOwn ? 1 : 0;
        }

        return own;
    }

    /// <remarks>The envelope is made straight from the slot: an event is copied once on its way out.</remarks>
    private bool TryTake(
        bool hold, out Envelope<TEvent> envelope, [NotNullWhen(true)] out EventOrigin? origin, out bool isReplayed)
    {
        WriteWait? served = null;
        bool finished;
        using (ChannelGate.Enter())
        {
            isReplayed = _replay is not null;
            if (_replay is not null)
            {
                _replay.Read(out Slot<TEvent> replayed);
                if (_replay.Remaining == 0)
                    _replay = null;
                _heldReplay += hold ? 1 : 0;
                origin = replayed.Origin;
                envelope = replayed.ToEnvelope(missed: 0);
            }
            else if (_queue.Count > 0)
            {
                ref readonly Slot<TEvent> first = ref _queue[0];
                origin = first.Origin;
                envelope = first.ToEnvelope(first.Ordinal - _lastRead - 1);
                _lastRead = first.Ordinal;
                _queue.RemoveFirst();
                if (hold)
                    _held++;
                else
                    served = LockedServeWriter();
            }
            else
            {
                origin = null;
                envelope = default;
                return false;
            }

            // Reading replay does not make room, but it shows that the subscriber is alive.
            _isStalled = false;
            if (!hold)
                LockedCountDelivered(origin);
            else if (origin.IsOwn)
                _heldOwn++;
            if (_queue.Count == 0 && _held == 0)
                LockedEndEpisode();
            finished = LockedTryFinish();
        }

        served?.Publish.WaitEnded(WaitEnd.Delivered);
        if (finished)
            AfterFinish();
        if (!hold)
            Owner.Telemetry.Consumed(Profile.Tags, envelope.PublishedAtTicks, Owner.TimeProvider);
        return true;
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
            if (LockedIsFull)
            {
                OfferToFull(@event, ordinal, ref fanOut);
            }
            else
            {
                Enqueue(in @event, ordinal, in fanOut.Stamp);
                LockedWakeReaders(ref fanOut);
            }
        }
    }

    private void OfferToFull(TEvent @event, long ordinal, ref FanOut fanOut)
    {
        EventOrigin origin = fanOut.Stamp.Origin;
        switch (_overflow)
        {
            case OverflowPolicy.Wait when fanOut.MayWait && !_isStalled && Profile.WaitTimeout > TimeSpan.Zero:
                PendingPublish pending = fanOut.Pending ??= new PendingPublish();
                RoomWait wait = new(this, pending, @event, ordinal, fanOut.Stamp);
                _writers.Append(wait);
                pending.Add(wait);
                break;

            // A handler may hold back all there is, and leave nothing to evict.
            case OverflowPolicy.DropOldest when _queue.Count > 0:
                fanOut.Add(LockedLose(origin, _queue[0].Origin.IsOwn));
                _queue.RemoveFirst();
                Enqueue(in @event, ordinal, in fanOut.Stamp);
                break;

            case OverflowPolicy.DropNewest when _queue.Count > 0:
                fanOut.Add(LockedLose(origin, _queue[_queue.Count - 1].Origin.IsOwn));
                _queue.RemoveLast();
                Enqueue(in @event, ordinal, in fanOut.Stamp);
                break;

            case OverflowPolicy.Close:
                fanOut.Add(LockedLose(origin, origin.IsOwn));
                LockedOverflow(ref fanOut);
                break;

            default:
                fanOut.Add(LockedLose(origin, origin.IsOwn));
                break;
        }
    }

    private void Enqueue(in TEvent @event, long ordinal, in Stamp stamp) => Fill(ref _queue.Append(), in @event, ordinal, in stamp);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fill(ref Slot<TEvent> slot, in TEvent @event, long ordinal, in Stamp stamp)
    {
        slot.Event = @event;
        slot.Origin = stamp.Origin;
        slot.Sequence = stamp.Sequence;
        slot.PublishedAtTicks = stamp.PublishedAtTicks;
        slot.Ordinal = ordinal;
    }

    /// <summary>Hands the room that a read made to whoever has waited longest.</summary>
    private RoomWait? LockedServeWriter()
    {
        if (_writers.First is not RoomWait wait)
            return null;
        _writers.Remove(wait);
        Enqueue(wait.Event, wait.Ordinal, wait.Stamp);
        return wait;
    }

    private void GiveUp(RoomWait wait, WaitEnd why)
    {
        Loss loss;
        using (ChannelGate.Enter())
        {
            if (!wait.IsWaiting)
                return;
            _writers.Remove(wait);
            if (why == WaitEnd.TimedOut)
                _isStalled = true;
            loss = LockedLose(wait.Stamp.Origin, wait.Stamp.Origin.IsOwn);
        }

        wait.Publish.WaitEnded(why);
        Owner.Lost(loss);
    }

    /// <summary>An event that waits for room here.</summary>
    private sealed class RoomWait : WriteWait
    {
        private readonly SubscriberChannel<TEvent> _channel;

        public RoomWait(SubscriberChannel<TEvent> channel, PendingPublish publish, TEvent @event, long ordinal, in Stamp stamp)
            : base(publish, channel.Profile.WaitTimeout)
        {
            _channel = channel;
            Event = @event;
            Ordinal = ordinal;
            Stamp = stamp;
        }

        public TEvent Event { get; }

        public long Ordinal { get; }

        public Stamp Stamp { get; }

        public override void GiveUp(WaitEnd why) => _channel.GiveUp(this, why);
    }
}

/// <summary>An event taken out of a channel.</summary>
internal readonly record struct Taken<TEvent>(Envelope<TEvent> Envelope, EventOrigin Origin, bool IsReplayed);
