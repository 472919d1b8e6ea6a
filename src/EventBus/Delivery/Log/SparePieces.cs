namespace EventBus.Delivery;

/// <summary>The pieces of a log that everyone has passed.</summary>
/// <remarks>
/// Given back by readers, without a lock; taken by publishers, under the group's gate. What is given back is taken again by the next one who
/// needs a piece; what that one does not need, and all of it once everyone has read everything, is held weakly: so a log goes back to what it
/// needs once a burst was read, and a consumer that falls behind again and again does not allocate again and again.
/// </remarks>
internal struct SparePieces<TEvent>
{
    private const int MostJoined = 64;

    /// <summary>Pieces given back, as a chain; interlocked. Nobody takes one alone, so it cannot come back to what it was unseen.</summary>
    private LogPiece<TEvent>? _returned;

    /// <summary>A small piece, for a log that has nothing to hold; interlocked.</summary>
    private LogPiece<TEvent>? _small;

    /// <summary>A chain of pieces, for as long as the collector leaves it.</summary>
    private WeakReference<LogPiece<TEvent>>? _weak;

    public void Return(LogPiece<TEvent> piece, bool isSmall)
    {
        piece.Next = null;
        if (isSmall && Interlocked.CompareExchange(ref _small, piece, null) is null)
            return;
        LogPiece<TEvent>? next;
        do
        {
            next = Volatile.Read(ref _returned);
            piece.Next = next;
        }
        while (Interlocked.CompareExchange(ref _returned, piece, next) != next);
    }

    /// <summary>Takes one out; under the group's gate.</summary>
    public LogPiece<TEvent>? Take()
    {
        LogPiece<TEvent>? first = Volatile.Read(ref _returned) is null ? null : Interlocked.Exchange(ref _returned, null);
        if (first is not null)
        {
            Keep(first.Next);
            return first;
        }

        if (_weak?.TryGetTarget(out first) == true)
            _weak.SetTarget(first.Next!);
        return first;
    }

    /// <summary>Takes a small one out.</summary>
    public LogPiece<TEvent>? TakeSmall() => Interlocked.Exchange(ref _small, null);

    /// <summary>Lets go of all that are not small, as far as the collector wants them; under the group's gate.</summary>
    public void Rest() => Keep(Interlocked.Exchange(ref _returned, null));

    /// <summary>Holds a chain weakly, and what was held so before behind it.</summary>
    private void Keep(LogPiece<TEvent>? chain)
    {
        if (chain is null)
            return;
        try
        {
            _weak ??= new WeakReference<LogPiece<TEvent>>(null!);
            if (_weak.TryGetTarget(out LogPiece<TEvent>? earlier))
            {
                // Not looked for without end, as the gate is held: what a great burst leaves is enough.
                LogPiece<TEvent> end = chain;
                for (int i = 0; i < MostJoined && end.Next is { } next; i++)
                    end = next;
                end.Next ??= earlier;
            }

            _weak.SetTarget(chain);
        }
        catch (Exception exception) when (exception is OutOfMemoryException or InvalidOperationException)
        {
            // No memory; or the whole bus is garbage, a subscription's finalizer has it end, and the reference was finalized before: then
            // nothing is needed any more.
        }
    }
}
