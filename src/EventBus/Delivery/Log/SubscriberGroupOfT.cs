using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>The log of a group, and how an event gets into it.</summary>
/// <inheritdoc cref="SubscriberGroup" path="/remarks"/>
internal sealed class SubscriberGroup<TEvent> : SubscriberGroup
    where TEvent : notnull
{
    /// <summary>A piece as long as this is given back once everyone has read everything: before that it is not worth the while.</summary>
    private const int GreatLength = 32;

    /// <summary>The length of a log's first piece.</summary>
    private const int FirstLength = 4;

    /// <summary>The length of the longest piece: a few kilobytes, for events of the usual size, as it is allocated under the gate.</summary>
    private const int LongestPiece = 64;

    /// <summary>A log that comes to rest more often than this is busy.</summary>
    private const int BusyMilliseconds = 100;

    /// <summary>How often a piece begins anew, and none is appended, until none is expected to be.</summary>
    private const int QuietRounds = 3;

    private LogPiece<TEvent> _last = new([]);

    /// <summary>The slots of the last piece, and how many of them are written.</summary>
    private Slot<TEvent>[] _slots = [];
    private int _end;
    private SparePieces<TEvent> _spares;

    /// <summary>How often the last piece has begun anew since it became the last.</summary>
    private int _rounds;

    /// <summary>When everyone had read everything after a burst; for a log that is busy, which is not a matter of the bus's clock.</summary>
    private long _restedAt;

    /// <summary>The length of the longest piece that was allocated since the log was small.</summary>
    private int _longest;

    public SubscriberGroup(SubscriberProfile profile)
        : base(profile) => _last.Begin(0, readers: 0);

    /// <summary>Whether a last piece of this length is not kept once everyone has read everything.</summary>
    public static bool IsToRest(int length) => length is < FirstLength or >= GreatLength;

    public override bool StoresValues => typeof(TEvent).IsValueType;

    /// <summary>The last piece, which who joins begins in. Under the gate.</summary>
    public LogPiece<TEvent> LockedLast => _last;

    public override void OfferObject(object @event, SubscriberChannel? except, ref FanOut fanOut)
    {
        if (@event is TEvent mine)
            Offer(in mine, except, ref fanOut);
    }

    /// <summary>Writes an event for all members, or does with it what the policy of those who are full says. Wakes nobody: <see cref="FanOut"/> does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Offer(in TEvent @event, SubscriberChannel? except, ref FanOut fanOut)
    {
        GroupGate.EnterBare();
        if (Tail >= SafeUntil || (uint)_end >= (uint)_slots.Length || except?.Group == this)
        {
            LockedOfferSlowly(in @event, except, ref fanOut);
            return;
        }

        // Nothing from here to the exit can throw.
        LockedCount(Members.InLog, ref fanOut);
        LockedWrite(in @event, ref fanOut);
        GroupGate.Exit();
    }

    /// <summary>Everyone has passed a piece: it is cleared, and kept for another time. Called by readers, without the gate.</summary>
    public void Recycle(LogPiece<TEvent> piece)
    {
        // One that was made short for want of memory is not kept.
        Array.Clear(piece.Slots);
        if (piece.Slots.Length >= FirstLength)
            _spares.Return(piece, isSmall: piece.Slots.Length < GreatLength);
    }

    public override void LockedLookForEnd()
    {
        if (_end == 0 || !LockedAreAllAtEnd())
            return;
        LockedBeginAnew(_slots.Length < FirstLength ? [] : _slots);
        if (_slots.Length >= GreatLength)
            LockedRest();
    }

    /// <summary>What the common case leaves: members that are full or on their own, one that is spared, a piece that is full. Leaves the gate.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LockedOfferSlowly(in TEvent @event, SubscriberChannel? except, ref FanOut fanOut)
    {
        using (GroupGate.Scope())
        {
            LockedMakeRoom();
            SubscriberChannel<TEvent>? spared = except?.Group == this ? (SubscriberChannel<TEvent>)except : null;
            bool isSpared = spared is not null && Members.IsOpen(spared);
            int matched = Members.Open - (isSpared ? 1 : 0);
            if (matched > 0)
                LockedCount(matched, ref fanOut);

            // One at the end goes over the event; one that is behind cannot, so it goes on its own.
            bool skips = isSpared && spared!.IsInLog && spared.Position == Tail;
            if (isSpared && spared!.IsInLog && !skips)
                spared.LeaveLog();
            int spares = skips ? 1 : 0;
            if (Members.InLog > spares && !LockedTryMakeSpace(spares))
                LockedLeaveLog(skips ? spared : null);
            if (Members.InLog > spares)
            {
                if (skips)
                    spared!.LockedSkip(in @event, ref fanOut);
                else
                    LockedWrite(in @event, ref fanOut);
            }

            // From the last on, as one that closes is taken out.
            for (int i = Members.Open - 1; i >= Members.InLog; i--)
            {
                if (Members[i] != spared)
                    ((SubscriberChannel<TEvent>)Members[i]).Offer(in @event, ref fanOut);
            }

            // What they dropped may have been the last that anyone had to read in the log.
            LockedLookForEnd();
            LockedSetSafe();
        }
    }

    /// <summary>Writes an event where there is space for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void LockedWrite(in TEvent @event, ref FanOut fanOut)
    {
        long tail = Tail;
        _slots[_end++].Fill(in @event, tail + 1, in fanOut.Stamp);
        AtEnd = 0;
        Tail = tail + 1;
        if (!LockedParked.IsEmpty)
            LockedParked.TakeAll(ref fanOut);
    }

    /// <summary>Whether all members, those that have ended included, have read all there is in the log's last piece, and so in the log.</summary>
    private bool LockedAreAllAtEnd() =>
        _last.Readers == Members.InLog && (AtEnd == Members.InLog || (Members.InLog == 1 && Members[0].Position == Tail));

    /// <param name="spares">How many of those in the log the event is not for.</param>
    private bool LockedTryMakeSpace(int spares)
    {
        if (_end < _slots.Length)
            return true;
        try
        {
            if (LockedAreAllAtEnd())
                LockedBeginAnew(_slots.Length > 0 ? _slots : NewSlots(FirstLength));
            else
                LockedAppend(_spares.Take() ?? new LogPiece<TEvent>(NewSlots(_longest * 2)));
            return true;
        }
        catch (OutOfMemoryException)
        {
            return LockedTryMakeSpaceForOne(spares);
        }
    }

    /// <summary>There is no memory for a piece: who is behind, and holds what there is, goes on its own; there may be enough for the others.</summary>
    private bool LockedTryMakeSpaceForOne(int spares)
    {
        // Again if any went, as another one may have taken a place that was looked at.
        for (bool anyWent = true; anyWent;)
        {
            anyWent = false;
            for (int i = Members.InLog - 1; i >= 0; i--)
            {
                if (Members[i].Position == Tail)
                    continue;
                Members[i].Starve();
                anyWent = true;
            }
        }

        try
        {
            // Nor is a piece appended that nothing is written to: who is at its start would count as being before it.
            if (Members.InLog > spares)
                LockedAppend(new LogPiece<TEvent>(new Slot<TEvent>[1]));
            return true;
        }
        catch (OutOfMemoryException)
        {
            return false;
        }
    }

    private void LockedAppend(LogPiece<TEvent> piece)
    {
        LogPiece<TEvent> before = _last;
        piece.Begin(Tail, Members.InLog);
        before.Next = piece;
        (_last, _slots, _end, _rounds) = (piece, piece.Slots, 0, 0);
        if (before.ReleaseAsLast())
            Recycle(before);
    }

    private void LockedBeginAnew(Slot<TEvent>[] slots)
    {
        Array.Clear(_slots, 0, _end);
        _last.Slots = slots;
        _last.BeginAnew(Tail);
        (_slots, _end) = (slots, 0);
        if (++_rounds == QuietRounds)
            _spares.Rest();
        LockedNoteEnd();
    }

    /// <summary>Goes on with a small piece, and lets go of what a burst needed, as far as the collector wants it.</summary>
    private void LockedRest()
    {
        if (_spares.TakeSmall() is { } small)
        {
            // It is the slots that change: the members refer to the last piece.
            (_last.Slots, small.Slots) = (small.Slots, _last.Slots);
            _slots = _last.Slots;
            _longest = _slots.Length;
            _spares.Return(small, isSmall: false);
        }

        // One that comes to rest again and again is about to need them: then even the collector does not take them.
        long now = Environment.TickCount64;
        if (now - _restedAt > BusyMilliseconds)
            _spares.Rest();
        _restedAt = now;
    }

    private Slot<TEvent>[] NewSlots(int length)
    {
        Slot<TEvent>[] slots = new Slot<TEvent>[Math.Clamp(length, FirstLength, LongestPiece)];
        _longest = slots.Length;
        return slots;
    }
}
