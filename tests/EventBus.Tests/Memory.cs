using System.Runtime;

namespace EventBus.Tests;

/// <summary>Measures memory.</summary>
internal static class Memory
{
    /// <summary>What the whole process holds once all garbage is gone.</summary>
    public static long Held()
    {
        GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
        Collect();
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    public static void Collect()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
    }

    /// <summary>What one action allocates on this thread.</summary>
    public static long AllocatedBy(Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
