using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>A piece of a group's log: some slots, and how many members still have to pass them.</summary>
/// <remarks>
/// <para>
/// The group's gate guards <see cref="Base"/>, <see cref="Slots"/> and the writing of slots; readers look at them after they have seen the log's
/// end behind the slot they read, so they see them as they were written. Both only change while no reader has anything to read in the piece.
/// <see cref="Next"/> is set once, before the log's end moves there.
/// </para>
/// <para>
/// The count of readers is interlocked. It grows under the group's gate and while the piece is the log's last one; from then on it only
/// falls. Whoever brings it to nothing is the last that has seen the piece: it may be cleared and used again.
/// </para>
/// </remarks>
internal sealed class LogPiece<TEvent> : IChained<LogPiece<TEvent>>
{
    /// <summary>Counts as a great many readers, so that the log's last piece is never taken to be passed by all.</summary>
    private const int LastMark = 1 << 30;

    private int _readers;

    public LogPiece(Slot<TEvent>[] slots) => Slots = slots;

    public Slot<TEvent>[] Slots { get; set; }

    /// <summary>The position of the first slot.</summary>
    public long Base { get; private set; }

    public LogPiece<TEvent>? Next { get; set; }

    /// <remarks>A piece that is not in a log is in a chain of others, or alone.</remarks>
    LogPiece<TEvent>? IChained<LogPiece<TEvent>>.Chained
    {
        get => Next;
        set => Next = value;
    }

    /// <summary>The position behind the last slot.</summary>
    public long End => Base + Slots.Length;

    /// <summary>How many members still have to pass it.</summary>
    public int Readers => Volatile.Read(ref _readers) & ~LastMark;

    /// <summary>Whether whoever asks, who still has to pass it, is the only one: nobody else ever reads what it has read.</summary>
    public bool HasOneReader
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Readers == 1;
    }

    /// <summary>
    /// Whether somebody passed it, or left, since it began: then who is alone in it may not have been so always, and events that were read
    /// together, or that nobody is to read any more, may still be here. Written before the count falls, so whoever finds itself alone sees it.
    /// </summary>
    public bool WasReleased { get; private set; }

    /// <summary>Makes it the last piece of a log.</summary>
    public void Begin(long position, int readers)
    {
        Base = position;
        Next = null;
        WasReleased = false;
        Volatile.Write(ref _readers, readers + LastMark);
    }

    /// <summary>Lets the slots stand for other positions: everyone is at the end.</summary>
    public void BeginAnew(long position) => (Base, WasReleased) = (position, false);

    public void AddReader() => Interlocked.Increment(ref _readers);

    /// <summary>A member has passed it, or left.</summary>
    /// <returns>Whether it was the last one.</returns>
    public bool Release()
    {
        WasReleased = true;
        return Interlocked.Decrement(ref _readers) == 0;
    }

    /// <summary>It has a successor; under the group's gate.</summary>
    /// <returns>Whether everyone has passed it.</returns>
    public bool ReleaseAsLast() => Interlocked.Add(ref _readers, -LastMark) == 0;
}
