using System.Runtime.InteropServices;

namespace EventBus.Routing;

/// <summary>A counter that many threads add to without sharing a cache line, and that is seldom read.</summary>
internal sealed class StripedCounter
{
    private readonly Stripe[] _stripes = new Stripe[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount)];

    public void Increment() =>
        Interlocked.Increment(ref _stripes[Environment.CurrentManagedThreadId & (_stripes.Length - 1)].Count);

    public long Sum()
    {
        long sum = 0;
        for (int i = 0; i < _stripes.Length; i++)
            sum += Interlocked.Read(ref _stripes[i].Count);
        return sum;
    }

    /// <summary>Two cache lines long, as processors fetch them in pairs.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Stripe
    {
        [FieldOffset(64)]
        public long Count;
    }
}
