using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EventBus.Delivery;

/// <summary>
/// The buffer of a channel: a ring of segments. It starts without memory, grows by a segment as it fills, and lets go of what a burst needed
/// after some nearly empty rounds. Not thread-safe: the channel's lock guards it.
/// </summary>
/// <remarks>
/// <para>
/// Segments rather than one array, because a lock is held: growing must not copy what is queued, nor allocate more than a little. From
/// <see cref="_first"/> to <see cref="_last"/> they are in use, and all between are full; from the last on to the first they are free.
/// Each new one doubles the buffer until it is as long as a segment may be, so the shorter ones always add up to any smaller buffer.
/// </para>
/// <para>
/// A round ends when the buffer runs empty or after <see cref="RoundReads"/> reads, and is nearly empty when no more than a
/// quarter of the buffer was ever in use in it.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Auto)]
internal struct SlotBuffer<TEvent>
{
    private const int FirstLength = 4;

    /// <summary>The longest segment: a few kilobytes, for events of the usual size.</summary>
    private const int LongestSegment = 256;

    /// <summary>Below this length shrinking is not worth the while.</summary>
    private const int SmallLength = 16;

    private const int RoundReads = 1024;

    /// <summary>How many nearly empty rounds in a row shrink the buffer; the contract says within 50.</summary>
    private const int RoundsBeforeShrinking = 32;

    /// <summary>Where the oldest slot is; null while nothing was ever queued.</summary>
    private SlotSegment<TEvent>? _first;

    /// <summary>Where the newest slot is.</summary>
    private SlotSegment<TEvent>? _last;

    /// <summary>The slots of the first and of the last segment: so the usual way in and out does not touch the segments themselves.</summary>
    private Slot<TEvent>[]? _firstSlots;
    private Slot<TEvent>[]? _lastSlots;

    /// <summary>What shrinking let go of.</summary>
    private WeakChain<SlotSegment<TEvent>> _shed;

    /// <summary>The index of the oldest slot in the first segment.</summary>
    private int _head;

    /// <summary>The index behind the newest slot in the last segment.</summary>
    private int _end;
    private int _count;
    private int _length;

    /// <summary>The most slots in use at once in this round.</summary>
    private int _peak;
    private int _reads;
    private int _quietRounds;

    public readonly int Count => _count;

    /// <summary>The slots of all segments.</summary>
    public readonly int Length => _length;

    /// <summary>Whether one more can be appended where the last one was, so that it cannot fail.</summary>
    public readonly bool HasSpace => _lastSlots is { } slots && _end < slots.Length;

    /// <summary>The oldest slot.</summary>
    public readonly ref Slot<TEvent> First
    {
        get
        {
            Debug.Assert(_count > 0, "nothing is queued");
            return ref _firstSlots![_head];
        }
    }

    /// <summary>The newest slot.</summary>
    public readonly ref Slot<TEvent> Last
    {
        get
        {
            Debug.Assert(_count > 0, "nothing is queued");
            return ref _lastSlots![_end - 1];
        }
    }

    /// <summary>The slot at a distance from the oldest one; found by going from segment to segment.</summary>
    public readonly ref Slot<TEvent> this[int offset]
    {
        get
        {
            Debug.Assert((uint)offset < (uint)_count, "outside of what is queued");
            SlotSegment<TEvent> segment = _first!;
            int index = _head + offset;
            while (index >= segment.Slots.Length)
            {
                index -= segment.Slots.Length;
                segment = segment.Next;
            }

            return ref segment.Slots[index];
        }
    }

    /// <summary>Room for one more at the end; the caller fills it. If there is no memory for it, nothing has changed.</summary>
    public ref Slot<TEvent> Append()
    {
        if (!HasSpace)
            MakeSpace();
        return ref AppendInSpace();
    }

    /// <summary>The same where there is space: it cannot throw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref Slot<TEvent> AppendInSpace()
    {
        Debug.Assert(HasSpace, "would have to grow");
        int count = ++_count;
        if (count > _peak)
            _peak = count;
        return ref _lastSlots![_end++];
    }

    public void RemoveFirst()
    {
        First = default;
        _count--;
        if (++_head == _firstSlots!.Length && _count > 0)
        {
            SetFirst(_first!.Next);
            _head = 0;
        }

        BeginAnewIfEmpty();
        if (_count == 0 || ++_reads == RoundReads)
            EndRound();
    }

    public void RemoveLast()
    {
        Last = default;
        _count--;
        if (--_end == 0 && _count > 0)
        {
            SetLast(_last!.Previous);
            _end = _lastSlots!.Length;
        }

        BeginAnewIfEmpty();
    }

    public void Clear() => this = default;

    /// <summary>With nothing queued, and nothing to come for some time: more than a little memory is let go of.</summary>
    public void Rest()
    {
        Debug.Assert(_count == 0, "something is queued");
        if (_length <= SmallLength)
            return;
        SlotSegment<TEvent> kept = _last!;
        for (SlotSegment<TEvent> other = kept.Next; other != _last; other = other.Next)
            kept = other.Slots.Length < kept.Slots.Length ? other : kept;
        SlotSegment<TEvent> segment = kept.Next;
        SlotSegment<TEvent>? chain = null;
        while (segment != kept)
        {
            SlotSegment<TEvent> next = segment.Next;
            segment.LeaveRing();
            segment.Chained = chain;
            (chain, segment) = (segment, next);
        }

        _length = kept.Slots.Length;
        SetLast(kept);
        BeginAnewIfEmpty();
        _shed.Add(chain);
    }

    /// <summary>How many of the events are the bus's own.</summary>
    public readonly int CountOwn()
    {
        int own = 0;
        SlotSegment<TEvent>? segment = _first;
        for (int left = _count, index = _head; left > 0; left--, index++)
        {
            if (index == segment!.Slots.Length)
                (segment, index) = (segment.Next, 0);
            own += segment.Slots[index].Origin.IsOwn ? 1 : 0;
        }

        return own;
    }

    /// <summary>With nothing queued the segment that was used last is filled from its start again, however often.</summary>
    private void BeginAnewIfEmpty()
    {
        if (_count > 0)
            return;
        SetFirst(_last!);
        _head = _end = 0;
    }

    /// <summary>Goes on in the next segment: a free one, one that was let go of, or a new one.</summary>
    private void MakeSpace()
    {
        if (_last is null)
        {
            SlotSegment<TEvent> only = new(FirstLength);
            SetFirst(only);
            SetLast(only);
            _length = FirstLength;
            return;
        }

        if (_last.Next == _first)
        {
            Insert(_shed.TakeAll() ?? new SlotSegment<TEvent>(Math.Min(_length, LongestSegment)));
        }

        SetLast(_last.Next);
        _end = 0;
    }

    private void SetFirst(SlotSegment<TEvent> segment) => (_first, _firstSlots) = (segment, segment.Slots);

    private void SetLast(SlotSegment<TEvent> segment) => (_last, _lastSlots) = (segment, segment.Slots);

    /// <summary>Puts a chain of segments behind the last one.</summary>
    private void Insert(SlotSegment<TEvent> chain)
    {
        SlotSegment<TEvent> after = _last!, next = after.Next;
        for (SlotSegment<TEvent>? segment = chain; segment is not null;)
        {
            SlotSegment<TEvent>? following = segment.Chained;
            segment.Chained = null;
            after.Link(segment);
            _length += segment.Slots.Length;
            (after, segment) = (segment, following);
        }

        after.Link(next);
    }

    private void EndRound()
    {
        _reads = 0;
        if (_length <= SmallLength || _peak > _length / 4)
            _quietRounds = 0;
        else if (++_quietRounds >= RoundsBeforeShrinking)
            Shrink();
        _peak = _count;
    }

    /// <summary>
    /// Keeps room for twice the peak of the last round, as what follows looks like it. What is in use stays, however long its segment: it
    /// goes after a later round.
    /// </summary>
    private void Shrink()
    {
        // Segments shorter than a power of two add up to it, so the longer ones go, and of the longest as many as do not fit.
        int fitting = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(_peak * 2, SmallLength));
        SlotSegment<TEvent>? chain = null;
        SlotSegment<TEvent> segment = _first!;
        bool isInUse = _count > 0;
        int kept = 0;
        for (int left = CountSegments(); left > 0; left--)
        {
            SlotSegment<TEvent> next = segment.Next;
            int length = segment.Slots.Length;
            bool isFree = !isInUse;
            isInUse &= segment != _last;
            if (length < fitting && kept + length <= fitting)
            {
                kept += length;
            }
            else if (isFree && next != segment)
            {
                if (segment == _last)
                {
                    SetFirst(next);
                    SetLast(next);
                }

                _length -= length;
                segment.LeaveRing();
                segment.Chained = chain;
                chain = segment;
            }

            segment = next;
        }

        _shed.Add(chain);
    }

    private readonly int CountSegments()
    {
        int count = 1;
        for (SlotSegment<TEvent> segment = _last!.Next; segment != _last; segment = segment.Next)
            count++;
        return count;
    }
}
