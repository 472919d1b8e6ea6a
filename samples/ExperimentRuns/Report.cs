namespace Samples.Experiments;

/// <summary>Prints what was broadcast and what is stored, and whether they are the same.</summary>
/// <param name="recorder">Who heard everything.</param>
/// <param name="viewers">Who watched one run each.</param>
/// <param name="stored">What the store holds of these runs.</param>
internal sealed class Report(Recorder recorder, IReadOnlyList<RunViewer> viewers, IReadOnlyList<StoredEvent> stored)
{
    private bool _allHold = true;

    /// <summary>Prints it.</summary>
    /// <returns>Whether all that must hold does.</returns>
    public bool Print()
    {
        foreach (IGrouping<string, ExperimentEvent> topic in recorder.Events.GroupBy(e => e.Topic, e => e.Event))
            Console.WriteLine($"{topic.Key}: {CountsOf(topic)}");
        foreach (Estimate mean in stored.Select(s => s.Event).OfType<RunData.Result>().Select(r => r.Value).OrderBy(v => v.Samples))
            Console.WriteLine(FormattableString.Invariant($"from {mean.Samples} points, read back: {mean.Value:F6}, off by {Math.Abs(mean.Error):F6}"));

        (string Topic, string Json)[] broadcast =
            [.. recorder.Events.Where(e => e.Event is RunData).Select(e => (e.Topic, RunDataJson.Write((RunData)e.Event)))];
        Console.WriteLine("checks:");
        Check(recorder.Dropped == 0, $"all {recorder.Events.Count} events were heard");
        Check(
            broadcast.SequenceEqual(stored.Select(s => (s.Topic, RunDataJson.Write(s.Event)))),
            $"the store holds exactly the {broadcast.Length} logs and results that were broadcast, in the same order ({stored.Count} rows)");
        Check(
            stored.Zip(stored.Skip(1)).All(pair => pair.First.Id < pair.Second.Id),
            "each of them once: ids grow");
        int progress = recorder.Events.Count(e => e.Event is RunProgress);
        Check(
            stored.All(s => s.Event.Name is "run_log" or "run_logs" or "run_result" or "run_results"),
            $"none of the {progress} events of progress is stored");
        foreach (RunViewer viewer in viewers)
            CheckRun(viewer);
        return _allHold;
    }

    private static string CountsOf(IEnumerable<ExperimentEvent> events) =>
        string.Join(", ", events.GroupBy(e => e.Name).Select(g => $"{g.Count()} {g.Key}"));

    private void CheckRun(RunViewer viewer)
    {
        string topic = Topics.Run(viewer.Run.Id).Name;
        ExperimentEvent last = viewer.Events[^1];
        int before = viewer.Events.Count(e => e is RunData);
        Check(
            last is RunEvent.Completed or RunEvent.Failed or RunEvent.Cancelled && before == stored.Count(s => s.Topic == topic),
            $"{topic}: its viewer saw all {before} of them, then {last.Name}, then the end of the topic" +
            (last is RunEvent.Failed failed ? $" ({failed.Error})" : ""));
    }

    private void Check(bool holds, string what)
    {
        _allHold &= holds;
        (holds ? Console.Out : Console.Error).WriteLine($"  {(holds ? "ok   " : "WRONG")} {what}");
    }
}
