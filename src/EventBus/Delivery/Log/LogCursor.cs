using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>How far one member has read its group's log, and up to where the log is its own to read.</summary>
/// <remarks>
/// <para>
/// Two lives. <em>In the log</em>: everything up to the log's end is to be read. <em>On its own</em>: what there was when it left the log is
/// still to be read there, its part; what came after is not.
/// </para>
/// <para>
/// The channel's gate guards everything; entering and leaving the log also take the group's gate, so whoever holds one of the two can rely on
/// <see cref="IsInLog"/>. <see cref="Position"/> is read without a lock by publishers, so it is written last, when a slot has been copied.
/// </para>
/// <para>Invariant: the member counts as a reader of each piece from the one its position is in to the log's last, or to the last of its part.</para>
/// </remarks>
internal struct LogCursor<TEvent>
    where TEvent : notnull
{
    private const long InLog = long.MaxValue;

    /// <summary>The piece that the position is in, or the one before if the position is its end; null when nothing is left of the part.</summary>
    private LogPiece<TEvent>? _piece;
    private long _position;

    /// <summary>Where its part ends; <see cref="InLog"/> while it has no end. Nothing is to be read before it entered a log.</summary>
    private long _until;

    /// <summary>What is added to a position to get the how-manieth event offered to this member that is.</summary>
    private long _offset;

    public readonly bool IsInLog => _until == InLog;

    /// <summary>The position to be read next.</summary>
    public readonly long Position => Volatile.Read(in _position);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool HasUnread(SubscriberGroup? group) => _position < _until && _position < group!.Tail;

    /// <summary>How many events are to be read in the log.</summary>
    public readonly long Unread(SubscriberGroup? group) => group is null ? 0 : Math.Min(_until, group.Tail) - _position;

    /// <summary>The ordinal, for this member, of the event written last.</summary>
    public readonly long LastOrdinal(SubscriberGroup group) => group.Tail + _offset;

    /// <summary>The ordinal of an event in the log.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly long OrdinalOf(in Slot<TEvent> slot) => slot.Ordinal + _offset;

    /// <summary>Enters the log at its end.</summary>
    /// <param name="last">The log's last piece.</param>
    /// <param name="tail">The log's end.</param>
    /// <param name="ordinal">The ordinal of the last event that the member was offered.</param>
    public void Enter(LogPiece<TEvent> last, long tail, long ordinal)
    {
        Debug.Assert(_piece is null, "its part is read");
        last.AddReader();
        (_piece, _until, _offset) = (last, InLog, ordinal - tail);
        Volatile.Write(ref _position, tail);
    }

    /// <summary>Leaves the log; what is to be read in it stays so.</summary>
    public void Leave(SubscriberGroup<TEvent> group)
    {
        _until = group.Tail;
        if (_position == _until)
            ReleasePart(group);
    }

    /// <summary>Goes over an event at the log's end that is not for this member.</summary>
    public void Skip(SubscriberGroup<TEvent> group)
    {
        _offset--;
        while (_piece!.Next is not null)
            Cross(group);
        Volatile.Write(ref _position, group.Tail);
    }

    /// <summary>The next event; only while there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref Slot<TEvent> First(SubscriberGroup<TEvent> group)
    {
        long index = _position - _piece!.Base;
        if (index >= _piece.Slots.Length)
            index = CrossToPosition(group);
        return ref _piece.Slots[index];
    }

    /// <summary>Goes over the event that <see cref="First"/> gave.</summary>
    /// <returns>Whether the group is to be told, with no lock held: it may be that everyone has read everything.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Advance(SubscriberGroup<TEvent> group)
    {
        LogPiece<TEvent> piece = _piece!;
        long next = _position + 1;
        bool isAlone = piece.HasOneReader;
        if (isAlone)
            piece.Slots[_position - piece.Base] = default;

        // From here on, if it is at the end, the piece may begin anew.
        bool isTold = !isAlone || SubscriberGroup<TEvent>.IsToRest(piece.Slots.Length) || piece.WasReleased;
        Volatile.Write(ref _position, next);
        if (next == _until)
            return ReleasePart(group);
        return isTold && next == group.Tail;
    }

    /// <summary>The last event of its part; only on its own, and while there is one.</summary>
    public ref Slot<TEvent> Last()
    {
        LogPiece<TEvent> piece = LastPiece();
        return ref piece.Slots[_until - 1 - piece.Base];
    }

    /// <summary>Gives up the last event of its part.</summary>
    public void RemoveLast(SubscriberGroup<TEvent> group)
    {
        LogPiece<TEvent> piece = LastPiece();
        if (piece.HasOneReader)
            piece.Slots[_until - 1 - piece.Base] = default;
        _until--;

        // What is left of the part may be nothing, and the position the end of the piece before: then both are passed.
        if (_until == piece.Base && piece != _piece && piece.Release())
            group.Recycle(piece);
        if (_until == _position)
            ReleasePart(group);
    }

    /// <summary>Gives up its part.</summary>
    public void Discard(SubscriberGroup<TEvent> group)
    {
        Debug.Assert(!IsInLog, "it has left the log");
        if (_piece is null)
            return;
        Volatile.Write(ref _position, _until);
        ReleasePart(group);
    }

    /// <summary>How many of the events to be read are the bus's own.</summary>
    public readonly int CountOwn(SubscriberGroup? group)
    {
        int own = 0;
        LogPiece<TEvent>? piece = _piece;
        for (long position = _position, left = Unread(group); left > 0; left--, position++)
        {
            while (position - piece!.Base >= piece.Slots.Length)
                piece = piece.Next;
            own += piece.Slots[position - piece.Base].Origin.IsOwn ? 1 : 0;
        }

        return own;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private long CrossToPosition(SubscriberGroup<TEvent> group)
    {
        do
            Cross(group);
        while (_position - _piece!.Base >= _piece.Slots.Length);
        return _position - _piece.Base;
    }

    private void Cross(SubscriberGroup<TEvent> group)
    {
        LogPiece<TEvent> passed = _piece!;
        _piece = passed.Next;
        if (passed.Release())
            group.Recycle(passed);
    }

    private readonly LogPiece<TEvent> LastPiece()
    {
        LogPiece<TEvent> piece = _piece!;
        while (piece.End < _until)
            piece = piece.Next!;
        return piece;
    }

    /// <returns>Whether the part ended in the log's last piece.</returns>
    private bool ReleasePart(SubscriberGroup<TEvent> group)
    {
        LogPiece<TEvent> piece = _piece!;
        _piece = null;
        while (true)
        {
            // Read before it is released: from then on it may be used again.
            LogPiece<TEvent>? next = piece.Next;
            bool isEnd = _until <= piece.End;
            if (piece.Release())
                group.Recycle(piece);
            if (isEnd)
                return next is null;
            piece = next!;
        }
    }
}
