using System.Text.Json.Serialization;

namespace Samples.Experiments;

/// <summary>What a run leaves behind: stored first, then broadcast. What was said in one call stays one event.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(Log), "run_log")]
[JsonDerivedType(typeof(Logs), "run_logs")]
[JsonDerivedType(typeof(Result), "run_result")]
[JsonDerivedType(typeof(Results), "run_results")]
internal abstract record RunData(string RunId) : ExperimentEvent
{
    [JsonIgnore]
    public abstract override string Name { get; }

    internal sealed record Log(string RunId, LogEntry Entry) : RunData(RunId)
    {
        [JsonIgnore]
        public override string Name => "run_log";
    }

    internal sealed record Logs(string RunId, IReadOnlyList<LogEntry> Entries) : RunData(RunId)
    {
        [JsonIgnore]
        public override string Name => "run_logs";
    }

    internal sealed record Result(string RunId, Estimate Value) : RunData(RunId)
    {
        [JsonIgnore]
        public override string Name => "run_result";
    }

    internal sealed record Results(string RunId, IReadOnlyList<Estimate> Values) : RunData(RunId)
    {
        [JsonIgnore]
        public override string Name => "run_results";
    }
}

/// <summary>A line of a run's log.</summary>
internal sealed record LogEntry(DateTimeOffset Time, string Level, string Message);

/// <summary>An estimate of π.</summary>
/// <param name="Samples">From how many points.</param>
/// <param name="Replicate">Which of several with as many points; null: their mean.</param>
/// <param name="Value">The estimate.</param>
/// <param name="Error">How far it is off.</param>
internal sealed record Estimate(long Samples, int? Replicate, double Value, double Error);
