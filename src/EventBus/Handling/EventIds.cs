namespace EventBus.Handling;

/// <summary>Numbers for buffered events: growing, and unique across restarts.</summary>
/// <remarks>
/// One source for the whole process, because two write-behinds may share a store. It starts from the time at which the first of them was
/// made, in microseconds, so that a later process starts above whatever an earlier one issued, unless that one issued more than a
/// million a second for as long as it ran.
/// </remarks>
internal static class EventIds
{
    /// <summary>The number issued last. Interlocked; it only grows.</summary>
    private static long _last;

    /// <summary>Makes all further numbers greater than a start time's.</summary>
    public static void StartFrom(DateTimeOffset now)
    {
        long microseconds = (now.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;
        long last = Volatile.Read(ref _last);
        while (last < microseconds)
        {
            long seen = Interlocked.CompareExchange(ref _last, microseconds, last);
            if (seen == last)
                break;
            last = seen;
        }
    }

    public static long Next() => Interlocked.Increment(ref _last);
}
