namespace EventBus.Delivery;

/// <summary>The pieces of a log that everyone has passed.</summary>
/// <remarks>
/// Given back by readers, without a lock; taken by publishers, under the group's gate. What is given back is taken again by the next one who
/// needs a piece; what that one does not need, and all of it once everyone has read everything, is held weakly: so a log goes back to what it
/// needs once a burst was read, and a consumer that falls behind again and again does not allocate again and again.
/// </remarks>
internal struct SparePieces<TEvent>
{
    /// <summary>Pieces given back, as a chain; interlocked. Nobody takes one alone, so it cannot come back to what it was unseen.</summary>
    private LogPiece<TEvent>? _returned;

    /// <summary>A small piece, for a log that has nothing to hold; interlocked.</summary>
    private LogPiece<TEvent>? _small;

    /// <summary>Guarded by the group's gate.</summary>
    private WeakChain<LogPiece<TEvent>> _weak;

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
        if (first is null)
            return _weak.TakeFirst();
        _weak.Add(first.Next);
        return first;
    }

    /// <summary>Takes a small one out.</summary>
    public LogPiece<TEvent>? TakeSmall() => Interlocked.Exchange(ref _small, null);

    /// <summary>Lets go of all that are not small, as far as the collector wants them; under the group's gate.</summary>
    public void Rest() => _weak.Add(Interlocked.Exchange(ref _returned, null));
}
