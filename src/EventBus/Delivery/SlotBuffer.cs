using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EventBus.Delivery;

/// <summary>
/// The circular buffer of a channel. It starts without memory, doubles as it fills, and lets go of what a burst needed after
/// some nearly empty rounds. Not thread-safe: the channel's lock guards it.
/// </summary>
/// <remarks>
/// A round ends when the buffer runs empty or after <see cref="RoundReads"/> reads, and is nearly empty when no more than a
/// quarter of the buffer was ever in use in it.
/// </remarks>
[StructLayout(LayoutKind.Auto)]
internal struct SlotBuffer<TEvent>
{
    /// <summary>Below this length shrinking is not worth a copy.</summary>
    private const int SmallLength = 16;

    private const int RoundReads = 1024;

    /// <summary>How many nearly empty rounds in a row shrink the buffer; the contract says within 50.</summary>
    private const int RoundsBeforeShrinking = 32;

    /// <summary>Length is a power of two, so that an index wraps by a mask.</summary>
    private Slot<TEvent>[]? _slots;

    /// <summary>
    /// What shrinking let go of, for as long as the collector leaves it: a consumer that keeps up at times and falls behind at
    /// others takes it back, instead of allocating it again and again.
    /// </summary>
    private WeakReference<Slot<TEvent>[]>? _shed;

    /// <summary>What the shed buffer was taken back for; used again at the next shrinking, for the same reason.</summary>
    private Slot<TEvent>[]? _outgrown;
    private int _head;
    private int _count;

    /// <summary>The most slots in use at once in this round.</summary>
    private int _peak;
    private int _reads;
    private int _quietRounds;

    public readonly int Count => _count;

    public readonly int Length => _slots?.Length ?? 0;

    /// <summary>Whether one more can be appended without growing.</summary>
    public readonly bool HasSpace => _slots is not null && _count < _slots.Length;

    /// <summary>The slot at a distance from the oldest one.</summary>
    public readonly ref Slot<TEvent> this[int offset]
    {
        get
        {
            Debug.Assert((uint)offset < (uint)_count, "outside of what is queued");
            return ref _slots![(_head + offset) & (_slots.Length - 1)];
        }
    }

    /// <summary>Room for one more at the end; the caller fills it.</summary>
    public ref Slot<TEvent> Append()
    {
        if (!HasSpace)
            Grow();
        return ref AppendInSpace();
    }

    /// <summary>The same where there is space: it cannot throw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref Slot<TEvent> AppendInSpace()
    {
        Debug.Assert(HasSpace, "would have to grow");
        Slot<TEvent>[] slots = _slots!;
        int count = _count;
        int index = (_head + count) & (slots.Length - 1);
        _count = ++count;
        if (count > _peak)
            _peak = count;
        return ref slots[index];
    }

    public void RemoveFirst()
    {
        Debug.Assert(_count > 0, "nothing is queued");
        Slot<TEvent>[] slots = _slots!;
        slots[_head] = default;
        _head = (_head + 1) & (slots.Length - 1);
        _count--;
        if (_count == 0 || ++_reads == RoundReads)
            EndRound();
    }

    public void RemoveLast()
    {
        Debug.Assert(_count > 0, "nothing is queued");
        this[_count - 1] = default;
        _count--;
    }

    public void Clear() => this = default;

    private void Grow()
    {
        if (_shed is not null && _shed.TryGetTarget(out Slot<TEvent>[]? shed) && shed.Length > Length)
        {
            _shed.SetTarget(null!);
            Slot<TEvent>[]? outgrown = _slots;
            MoveTo(shed);
            _outgrown = outgrown;
            return;
        }

        MoveTo(new Slot<TEvent>[_slots is null ? 4 : _slots.Length * 2]);
    }

    private void EndRound()
    {
        _reads = 0;
        int length = _slots!.Length;
        if (length <= SmallLength || _peak > length / 4)
        {
            _quietRounds = 0;
        }
        else if (++_quietRounds == RoundsBeforeShrinking)
        {
            // Room for twice the peak of the last round: what follows looks like it.
            int fitting = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(_peak * 2, SmallLength));
            Slot<TEvent>[] large = _slots;
            MoveTo(_outgrown is not null && _outgrown.Length >= fitting ? _outgrown : new Slot<TEvent>[fitting]);
            _outgrown = null;
            Shed(large);
            _quietRounds = 0;
        }

        _peak = _count;
    }

    private void Shed(Slot<TEvent>[] slots)
    {
        // The largest is the one worth keeping: it is taken back at once, whatever the next burst needs.
        if (_shed is null)
            _shed = new(slots);
        else if (!_shed.TryGetTarget(out Slot<TEvent>[]? kept) || kept.Length < slots.Length)
            _shed.SetTarget(slots);
    }

    /// <summary>Leaves nothing behind.</summary>
    private void MoveTo(Slot<TEvent>[] slots)
    {
        for (int i = 0; i < _count; i++)
        {
            slots[i] = this[i];
            this[i] = default;
        }

        _slots = slots;
        _head = 0;
    }
}
