using EventBus;

namespace Samples.Experiments;

/// <summary>Every topic of the program.</summary>
internal static class Topics
{
    /// <summary>All of them, for who wants to see everything.</summary>
    public const string Everything = "experiments:#";

    /// <summary>The topics of all runs, for the rule that keeps their history.</summary>
    public const string AllRuns = "experiments:run:*";

    /// <summary>Which instances were created, updated and deleted.</summary>
    public static readonly Topic<InstanceEvent> Instances = new("experiments:instances");

    /// <summary>One instance, and the lifecycle of its runs.</summary>
    public static Topic<ExperimentEvent> Instance(string id) => new(Topic.Join("experiments", "instance", id));

    /// <summary>One run: its lifecycle, logs, results and progress.</summary>
    public static Topic<ExperimentEvent> Run(string id) => new(Topic.Join("experiments", "run", id));
}
