using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using EventBus.Diagnostics;

namespace EventBus.Delivery;

/// <summary>One subscriber's bounded channel: its reading side.</summary>
/// <inheritdoc cref="SubscriberChannel" path="/remarks"/>
internal sealed class SubscriberChannel<TEvent> : ChannelIntake<TEvent>
    where TEvent : notnull
{
    /// <summary>The ordinal of the event that was read last: the gap to the next one is what was missed between them.</summary>
    private long _lastRead;

    public SubscriberChannel(SubscriberProfile profile, long id, DateTimeOffset createdAt)
        : base(profile, id, createdAt)
    {
    }

    /// <summary>Hands over history; before the subscription is handed out.</summary>
    public void Attach(ReplayCursor<TEvent> replay)
    {
        bool finished;
        using (ChannelGate.Enter())
        {
            Debug.Assert(_lastRead == 0, "replay comes first");
            if (LockedEndStart() && replay.Remaining > 0)
                LockedLane().Attach(replay);
            finished = LockedTryFinish();
        }

        if (finished)
            AfterFinish();
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
            Taken<TEvent> returned = default;
            if (Lane?.Held.TryPeek(out returned) == true)
            {
                envelope = returned.Envelope;
            }
            else if (Lane?.Replay is { } replay)
            {
                replay.Peek(out Slot<TEvent> replayed);
                envelope = replayed.ToEnvelope(missed: 0);
            }
            else if (Cursor.HasUnread(Group))
            {
                ref readonly Slot<TEvent> logged = ref Cursor.First(TypedGroup);
                envelope = logged.ToEnvelope(Cursor.OrdinalOf(in logged) - _lastRead - 1);
            }
            else if (Lane?.Queue.Count > 0)
            {
                ref readonly Slot<TEvent> queued = ref Lane.Queue.First;
                envelope = queued.ToEnvelope(queued.Ordinal - _lastRead - 1);
            }
            else
            {
                envelope = default;
                return false;
            }
        }

        return true;
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
            if (Lane is null or { Held.Count: 0 })
                return false;
            served = LockedUnhold(Lane, taken);

            // This may fill an empty queue that the handler waits on.
            if (served is not null)
                reader = LockedTakeReaders();
            LockedTook(taken.Origin);
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
        using (EnterBoth())
        {
            // Discarded, if the subscriber has left.
            if (Lane is null or { Held.Count: 0 })
                return;
            Lane.Held.GiveBack(taken);
            reader = LockedTakeReaders();
        }

        ReadWait.CompleteAll(reader, readable: true);
    }

    /// <remarks>The envelope is made straight from the slot: an event is copied once on its way out.</remarks>
    private bool TryTake(
        bool hold, out Envelope<TEvent> envelope, [NotNullWhen(true)] out EventOrigin? origin, out bool isReplayed)
    {
        bool sawEnd = false, finished = false;
        WaitingEvent<TEvent>? served = null;
        ReadWait? reader = null;
        long position;
        ChannelGate.EnterBare();
        if (Lane is null && !hold && Cursor.HasUnread(Group))
        {
            // Nothing in here can throw.
            ref readonly Slot<TEvent> first = ref Cursor.First(TypedGroup);
            isReplayed = false;
            origin = first.Origin;
            envelope = LockedRead(in first, Cursor.OrdinalOf(in first));
            sawEnd = Cursor.Advance(TypedGroup);
            position = Cursor.Position;
            LockedTook(origin);
            finished = LockedTryFinish();
            ChannelGate.Exit();
        }
        else
        {
            bool mayComeBack;
            using (ChannelGate.Scope())
            {
                origin = LockedTakeSlowly(hold, out envelope, out isReplayed, out served, out sawEnd);
                position = Cursor.Position;
                mayComeBack = origin is null && LockedMayEnterLog;

                // This reader was told of the event it took: of the one that came after it another has to be.
                if (served is not null)
                    reader = LockedTakeReaders();
                if (origin is not null)
                    finished = LockedTryFinish();
            }

            if (mayComeBack)
                ComeBack();
            if (origin is null)
                return false;
        }

        if (sawEnd)
            TypedGroup.SawEnd(this, position);
        if (served is not null)
        {
            served.Publish.WaitEnded(WaitEnd.Delivered);
            ReadWait.CompleteAll(reader, readable: true);
        }

        if (!hold)
            AfterTaking(envelope.PublishedAtTicks, finished);
        return true;
    }

    /// <summary>Takes an event from wherever the next one is.</summary>
    /// <returns>Its origin; null if there is none.</returns>
    private EventOrigin? LockedTakeSlowly(
        bool hold, out Envelope<TEvent> envelope, out bool isReplayed, out WaitingEvent<TEvent>? served, out bool sawEnd)
    {
        (isReplayed, served, sawEnd) = (false, null, false);
        EventOrigin origin;
        if (hold)
            Group?.HoldsBack();
        Lane<TEvent>? lane = hold ? LockedLane() : Lane;
        if (lane?.Held.HasReturned == true)
        {
            Taken<TEvent> returned = lane.Held.TakeReturned();
            (envelope, origin, isReplayed) = returned;
            if (!hold)
                served = LockedUnhold(lane, returned);
        }
        else if (lane?.Replay is not null)
        {
            lane.ReadReplay(out Slot<TEvent> replayed);
            (envelope, origin, isReplayed) = (replayed.ToEnvelope(missed: 0), replayed.Origin, true);
            if (hold)
                lane.Held.Hold(origin, isReplayed: true);
        }
        else if (Cursor.HasUnread(Group))
        {
            ref readonly Slot<TEvent> logged = ref Cursor.First(TypedGroup);
            origin = logged.Origin;
            envelope = LockedRead(in logged, Cursor.OrdinalOf(in logged));
            if (hold)
                lane!.Held.Hold(origin, isReplayed: false);
            sawEnd = Cursor.Advance(TypedGroup);
            served = hold ? null : lane?.ServeWriter();
        }
        else if (lane?.Queue.Count > 0)
        {
            ref readonly Slot<TEvent> queued = ref lane.Queue.First;
            origin = queued.Origin;
            envelope = LockedRead(in queued, queued.Ordinal);
            lane.Queue.RemoveFirst();
            if (hold)
                lane.Held.Hold(origin, isReplayed: false);
            else
                served = lane.ServeWriter();
        }
        else
        {
            envelope = default;
            return null;
        }

        // Reading replay does not make room, but it shows that the subscriber is alive.
        if (hold)
            lane!.IsStalled = false;
        else
            LockedTook(origin);
        return origin;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Envelope<TEvent> LockedRead(in Slot<TEvent> slot, long ordinal)
    {
        Envelope<TEvent> envelope = slot.ToEnvelope(ordinal - _lastRead - 1);
        _lastRead = ordinal;
        return envelope;
    }

    /// <summary>An event was delivered.</summary>
    private void LockedTook(EventOrigin origin)
    {
        LockedCountDelivered(origin);
        if (Lane is not null)
            Lane.IsStalled = false;
        if (LockedIsLagging && LockedQueued == 0)
            LockedEndEpisode();
    }

    private void AfterTaking(long publishedAtTicks, bool finished)
    {
        if (finished)
            AfterFinish();
        BusTelemetry telemetry = Owner.Telemetry;
        if (telemetry.CountsDeliveries)
            telemetry.Consumed(Profile.Tags, publishedAtTicks, Owner.TimeProvider);
    }

    /// <summary>An event is held back no longer.</summary>
    /// <returns>Who gets its room.</returns>
    private static WaitingEvent<TEvent>? LockedUnhold(Lane<TEvent> lane, in Taken<TEvent> taken)
    {
        lane.Held.Release(taken);
        return taken.IsReplayed ? null : lane.ServeWriter();
    }
}
