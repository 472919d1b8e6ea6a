using System.Runtime.InteropServices;

namespace EventBus.Routing;

/// <summary>A counter that many threads add to without sharing a cache line, and that is seldom read.</summary>
internal sealed class StripedCounter
{
    private const int StripeCount = 16;
    private readonly Stripe[] _stripes = new Stripe[StripeCount];

    /// <summary>Adds one.</summary>
    /// <param name="key">
    /// What the threads differ in. A topic's length and last character will do: asking for the thread costs as much as the addition.
    /// </param>
    public void Increment(string key) =>
        Interlocked.Increment(ref _stripes[(key.Length + key[^1]) & (StripeCount - 1)].Count);

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
