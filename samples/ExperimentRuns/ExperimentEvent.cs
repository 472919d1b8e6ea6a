namespace Samples.Experiments;

/// <summary>What the program has to tell. The hierarchy is closed: the four kinds below are all there is.</summary>
internal abstract record ExperimentEvent
{
    private protected ExperimentEvent()
    {
    }

    /// <summary>The event's name on the wire and in the store.</summary>
    public abstract string Name { get; }
}

/// <summary>An instance came, changed or went.</summary>
internal abstract record InstanceEvent(string InstanceId) : ExperimentEvent
{
    internal sealed record Created(Instance Instance) : InstanceEvent(Instance.Id)
    {
        public override string Name => "instance_created";
    }

    internal sealed record Updated(Instance Instance) : InstanceEvent(Instance.Id)
    {
        public override string Name => "instance_updated";
    }

    internal sealed record Deleted(string InstanceId) : InstanceEvent(InstanceId)
    {
        public override string Name => "instance_deleted";
    }
}

/// <summary>A run began or ended. Goes to the run's topic and to its instance's.</summary>
internal abstract record RunEvent(Run Run) : ExperimentEvent
{
    internal sealed record Created(Run Run) : RunEvent(Run)
    {
        public override string Name => "run_created";
    }

    internal sealed record Started(Run Run) : RunEvent(Run)
    {
        public override string Name => "run_started";
    }

    internal sealed record Completed(Run Run) : RunEvent(Run)
    {
        public override string Name => "run_completed";
    }

    internal sealed record Failed(Run Run, string Error) : RunEvent(Run)
    {
        public override string Name => "run_failed";
    }

    internal sealed record Cancelled(Run Run) : RunEvent(Run)
    {
        public override string Name => "run_cancelled";
    }
}

/// <summary>How far a run is. Means something only while it runs, so it is broadcast and never stored: it is no <see cref="RunData"/>.</summary>
internal sealed record RunProgress(string RunId, long Current, long Total, string Message) : ExperimentEvent
{
    public override string Name => "run_progress";
}
