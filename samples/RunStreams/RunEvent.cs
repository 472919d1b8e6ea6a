namespace Samples.Runs;

/// <summary>What a run has to tell. The hierarchy is closed: these four are all there is.</summary>
internal abstract record RunEvent
{
    private RunEvent(string run) => Run = run;

    public string Run { get; }

    internal sealed record Started(string Run, int Files) : RunEvent(Run);

    /// <summary>The words that begin in one block of a file; <see cref="Number"/> counts a run's batches from 1.</summary>
    internal sealed record BatchCounted(string Run, int Number, string File, long Words) : RunEvent(Run);

    internal sealed record FileSkipped(string Run, string File, string Reason) : RunEvent(Run);

    internal sealed record Finished(string Run, int Files, int Batches, long Words) : RunEvent(Run);
}
