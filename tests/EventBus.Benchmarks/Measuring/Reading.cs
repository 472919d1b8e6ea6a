using System.Diagnostics;

namespace EventBus.Benchmarks.Measuring;

/// <summary>What one round of one contender took.</summary>
internal readonly record struct Reading(long Operations, long Ticks, long Bytes)
{
    public double Nanoseconds => (double)Ticks / Stopwatch.Frequency * 1e9 / Operations;

    public double BytesEach => (double)Bytes / Operations;
}

/// <summary>One way of doing the work: a name, one round of it, and its end.</summary>
internal sealed record Contender(string Name, Func<Reading> Round, Action? End = null)
{
    /// <summary>Repeats: a timed burst, then what is not timed (reading it back and checking that nothing is missing).</summary>
    /// <remarks>Bytes are those of this thread, which does all the work.</remarks>
    public static Reading Bursts(int bursts, int length, Action burst, Action afterwards)
    {
        long ticks = 0, bytes = 0;
        for (int i = 0; i < bursts; i++)
        {
            long bytesBefore = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            burst();
            ticks += Stopwatch.GetTimestamp() - start;
            bytes += GC.GetAllocatedBytesForCurrentThread() - bytesBefore;
            afterwards();
        }

        return new Reading((long)bursts * length, ticks, bytes);
    }
}
