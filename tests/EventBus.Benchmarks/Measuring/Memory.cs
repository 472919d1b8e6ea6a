namespace EventBus.Benchmarks.Measuring;

/// <summary>How much memory is in use.</summary>
internal static class Memory
{
    /// <summary>Bytes of all that can still be reached.</summary>
    /// <remarks>
    /// What has a finalizer, and all it leads to, goes one collection after the one that found it; and
    /// <see cref="GC.GetTotalMemory"/> alone stops as soon as a collection changed little, which that first one does. And a pool
    /// thread that has just ended a reader's wait may still have it on its stack.
    /// </remarks>
    public static long Held()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(20);
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
