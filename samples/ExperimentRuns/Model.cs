namespace Samples.Experiments;

/// <summary>A configured experiment, of which there can be any number of runs.</summary>
internal sealed record Instance(string Id, string Name, SweepParameters Parameters);

/// <summary>What is swept: estimates from so many points each, each of them several times.</summary>
internal sealed record SweepParameters(IReadOnlyList<long> Samples, int Replicates, int Seed)
{
    public override string ToString() => $"{string.Join(", ", Samples)} points, {Replicates} times each, seed {Seed}";
}

/// <summary>One execution of an instance.</summary>
internal sealed record Run(string Id, string InstanceId, RunStatus Status, DateTimeOffset At);

internal enum RunStatus
{
    Created,
    Started,
    Completed,
    Failed,
    Cancelled,
}
