namespace EventBus.Routing;

/// <summary>Gives memory back after removals.</summary>
/// <remarks>
/// Shrinking to half when three quarters are free costs a constant share of the removals that led there. It takes memory for a moment;
/// where there is none, what was removed is removed all the same, and the next removal tries again.
/// </remarks>
internal static class Shrinking
{
    private const int SmallestCapacity = 16;

    public static void Shrink<T>(this HashSet<T> set)
    {
        if (!IsMostlyFree(set.Count, set.Capacity))
            return;
        try
        {
            set.TrimExcess(set.Count * 2);
        }
        catch (OutOfMemoryException)
        {
            // It stays as large as it was.
        }
    }

    public static void Shrink<TKey, TValue>(this Dictionary<TKey, TValue> dictionary)
        where TKey : notnull
    {
        if (!IsMostlyFree(dictionary.Count, dictionary.Capacity))
            return;
        try
        {
            dictionary.TrimExcess(dictionary.Count * 2);
        }
        catch (OutOfMemoryException)
        {
            // As above.
        }
    }

    private static bool IsMostlyFree(int count, int capacity) => capacity > SmallestCapacity && count * 4 < capacity;
}
