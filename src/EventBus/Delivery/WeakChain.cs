namespace EventBus.Delivery;

/// <summary>What can be in a <see cref="WeakChain{T}"/>, one at a time.</summary>
internal interface IChained<TSelf>
    where TSelf : class
{
    /// <summary>The next one of the chain.</summary>
    TSelf? Chained { get; set; }
}

/// <summary>
/// Memory that is not needed, for as long as the collector leaves it: who needs much at times and little at others takes it back, instead of
/// allocating it again and again. Not thread-safe.
/// </summary>
internal struct WeakChain<T>
    where T : class, IChained<T>
{
    /// <summary>How much is looked through to join two chains; a longer one is enough by itself.</summary>
    private const int MostJoined = 64;

    private WeakReference<T>? _first;

    /// <summary>Adds a chain, before what is there. Never throws.</summary>
    public void Add(T? chain)
    {
        if (chain is null)
            return;
        try
        {
            T? earlier = TakeAll();
            T end = chain;
            for (int i = 0; i < MostJoined && end.Chained is { } next; i++)
                end = next;
            end.Chained ??= earlier;
            if (_first is null)
                _first = new WeakReference<T>(chain);
            else
                _first.SetTarget(chain);
        }
        catch (Exception exception) when (exception is OutOfMemoryException or InvalidOperationException)
        {
            // No memory; or the whole bus is garbage, a subscription's finalizer has it end, and the reference was finalized before: then
            // nothing is needed any more.
        }
    }

    /// <summary>Takes out one; null if there is none.</summary>
    public readonly T? TakeFirst()
    {
        if (_first is null || !_first.TryGetTarget(out T? first))
            return null;
        _first.SetTarget(first.Chained!);
        first.Chained = null;
        return first;
    }

    /// <summary>Takes out all, as a chain; null if there is none.</summary>
    public readonly T? TakeAll()
    {
        if (_first is null || !_first.TryGetTarget(out T? first))
            return null;
        _first.SetTarget(null!);
        return first;
    }
}
