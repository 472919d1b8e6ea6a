namespace EventBus.Benchmarks.Measuring;

/// <summary>How long to measure: rounds per contender, and the work in each of them.</summary>
/// <param name="IsQuick">Whether this only shows that everything runs; its numbers are noise.</param>
/// <param name="Rounds">Measured rounds of every contender.</param>
/// <param name="Warmups">Rounds before, in which the runtime compiles what the rounds run.</param>
/// <param name="Scale">What the operations of a round are multiplied with.</param>
internal sealed record Effort(bool IsQuick, int Rounds, int Warmups, double Scale)
{
    public static Effort Full { get; } = new(false, Rounds: 9, Warmups: 4, Scale: 1);

    public static Effort Quick { get; } = new(true, Rounds: 1, Warmups: 1, Scale: 0.05);

    /// <summary>An amount of work, smaller when only trying.</summary>
    public int Times(int full) => Math.Max(1, (int)(full * Scale));
}
