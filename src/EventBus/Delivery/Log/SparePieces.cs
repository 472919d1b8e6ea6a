namespace EventBus.Delivery;

/// <summary>The pieces of a log that everyone has passed.</summary>
/// <remarks>
/// Given back by readers, without a lock; taken by publishers, under the group's gate. What is given back is taken again by the next one who
/// needs a piece; what that one does not need is held weakly, so that a log goes back to what it needs once a burst was read, and a consumer
/// that falls behind again and again does not allocate again and again.
/// </remarks>
internal struct SparePieces<TEvent>
{
    /// <summary>Pieces given back, as a chain; interlocked. Nobody takes one alone, so it cannot come back to what it was unseen.</summary>
    private LogPiece<TEvent>? _returned;

    /// <summary>A chain of pieces, for as long as the collector leaves it.</summary>
    private WeakReference<LogPiece<TEvent>>? _weak;

    public void Return(LogPiece<TEvent> piece)
    {
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
        if (first is null)
        {
            if (_weak is null || !_weak.TryGetTarget(out first))
                return null;
            _weak.SetTarget(first.Next!);
            return first;
        }

        if (first.Next is not null)
            Keep(first.Next);
        return first;
    }

    /// <summary>Holds a chain weakly, and what was held so before behind it.</summary>
    private void Keep(LogPiece<TEvent> chain)
    {
        try
        {
            _weak ??= new WeakReference<LogPiece<TEvent>>(null!);
        }
        catch (OutOfMemoryException)
        {
            return;
        }

        if (_weak.TryGetTarget(out LogPiece<TEvent>? earlier))
        {
            LogPiece<TEvent> end = chain;
            while (end.Next is { } next)
                end = next;
            end.Next = earlier;
        }

        _weak.SetTarget(chain);
    }
}
