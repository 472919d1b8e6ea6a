using System.Globalization;

namespace Samples.Runs;

/// <summary>Prints sums that must agree, and remembers whether all did.</summary>
internal sealed class Checks
{
    public bool AllHold { get; private set; } = true;

    public void Equal(string what, long expected, params ReadOnlySpan<long> summands)
    {
        long sum = 0;
        foreach (long summand in summands)
            sum += summand;
        string right = string.Join(" + ", summands.ToArray().Select(s => s.ToString(CultureInfo.InvariantCulture)));
        Print(sum == expected, string.Create(CultureInfo.InvariantCulture, $"{what}: {expected} = {right}"));
    }

    public void True(string what, bool holds) => Print(holds, what);

    private void Print(bool holds, string what)
    {
        AllHold &= holds;
        (holds ? Console.Out : Console.Error).WriteLine($"  {(holds ? "ok   " : "WRONG")} {what}");
    }
}
