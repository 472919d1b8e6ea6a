namespace EventBus.History;

/// <summary>The numbers of one bus: growing, and never one that another bus of this process issues. Guarded by the history's lock.</summary>
/// <remarks>
/// <para>
/// A bus takes its numbers in blocks out of what the whole process has not taken yet, so that a number costs a comparison, and a position
/// tells which bus it is from, whatever clocks the buses have and however fast they number. It takes none before its first event.
/// </para>
/// <para>
/// Blocks begin small, so that they hardly run ahead of the time that a later process starts from. One that does not follow on the one
/// before is twice as long as that; so a bus has few, however long it and others take turns.
/// </para>
/// </remarks>
internal sealed class SequenceSource
{
    private const int FirstLength = 1024;

    /// <summary>More than there can be: the lengths of so many would be more numbers than there are.</summary>
    private const int MostBlocks = 56;

    /// <summary>The greatest number that any bus of the process has taken. Interlocked; it only grows.</summary>
    private static long _taken;
    private readonly long _start;
    private readonly (long First, long Last)[] _blocks = new (long, long)[MostBlocks];
    private int _count;

    /// <summary>The number issued last, and the last one of the block it is from.</summary>
    private long _last;
    private long _end;

    /// <summary>Begins.</summary>
    /// <param name="start">Where the numbers start from, if nobody took them yet; 0, which stands for no sequence, is never issued.</param>
    public SequenceSource(long start) => _start = start;

    public long Next()
    {
        if (_last == _end)
            TakeBlock();
        return ++_last;
    }

    /// <summary>Whether this bus has issued a number.</summary>
    public bool IsIssued(long sequence)
    {
        foreach ((long first, long last) in _blocks.AsSpan(0, _count))
        {
            if (sequence >= first && sequence <= Math.Min(last, _last))
                return true;
        }

        return false;
    }

    private void TakeBlock()
    {
        long length = (long)FirstLength << _count;
        long taken = Volatile.Read(ref _taken), first;
        while (true)
        {
            first = Math.Max(taken + 1, _start);
            long seen = Interlocked.CompareExchange(ref _taken, first + length - 1, taken);
            if (seen == taken)
                break;
            taken = seen;
        }

        if (_count > 0 && first == _end + 1)
        {
            _blocks[_count - 1].Last += length;
        }
        else
        {
            _blocks[_count++] = (first, first + length - 1);
            _last = first - 1;
        }

        _end = first + length - 1;
    }
}
