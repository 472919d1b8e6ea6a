using EventBus;

namespace Samples.Experiments;

/// <summary>Every topic of the program.</summary>
internal static class Topics
{
    /// <summary>All of them, for who wants to see everything.</summary>
    public const string Everything = "experiments:#";

    /// <summary>The topics of all runs.</summary>
    private const string AllRuns = "experiments:run:*";

    /// <summary>Which instances were created, updated and deleted.</summary>
    public static readonly Topic<InstanceEvent> Instances = new("experiments:instances");

    /// <summary>
    /// Runs keep their history, so that who comes late sees all of it. Of progress only the newest counts: it is all that is kept, and
    /// however often a run reports, it pushes out neither the start nor logs and results.
    /// </summary>
    public static void KeepRuns(EventBusOptions options) => options.KeepHistory(AllRuns, depth: 1_000, latestOnly: [typeof(RunProgress)]);

    /// <summary>One instance, and the lifecycle of its runs.</summary>
    public static Topic<ExperimentEvent> Instance(string id) => new(Topic.Join("experiments", "instance", id));

    /// <summary>One run: its lifecycle, logs, results and progress.</summary>
    public static Topic<ExperimentEvent> Run(string id) => new(Topic.Join("experiments", "run", id));
}
