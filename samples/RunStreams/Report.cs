using System.Globalization;
using EventBus;

namespace Samples.Runs;

/// <summary>Prints what every subscriber saw and the bus counted, and checks that it all adds up.</summary>
/// <param name="bus">The bus, at rest.</param>
/// <param name="runs">The runs.</param>
/// <param name="viewers">The viewer of each run.</param>
/// <param name="dashboard">Who saw all runs.</param>
/// <param name="slow">Who lost events.</param>
/// <param name="whileSlowWaited">The statistics when all were through but the slow reader, who had not begun.</param>
internal sealed class Report(
    IEventBus bus, WordCountRun[] runs, RunViewer[] viewers, Dashboard dashboard, SlowReader slow, EventBusStatistics whileSlowWaited)
{
    /// <summary>Prints all of it.</summary>
    /// <returns>Whether everything adds up.</returns>
    public bool Print()
    {
        PrintSubscribers();
        EventBusStatistics statistics = bus.GetStatistics();
        PrintStatistics(statistics);
        return Check(statistics);
    }

    private static void Line(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private void PrintSubscribers()
    {
        foreach ((WordCountRun run, RunViewer viewer) in runs.Zip(viewers))
        {
            RunView view = viewer.View;
            Line($"{run.Topic}: {view.Words} words in {view.Batches} batches, {view.Skipped.Count} files skipped");
            foreach (RunEvent.FileSkipped skipped in view.Skipped)
                Line($"  skipped {skipped.File}: {skipped.Reason}");
            Line($"  its viewer joined late: {viewer.FromHistory} events from history, {view.Events - viewer.FromHistory} live; the end came by itself");
            Line($"  its history still holds {bus.GetHistory<RunEvent>(run.Topic).Count} events");
        }

        Line($"dashboard: {dashboard.Events} events of {dashboard.Views.Count} runs, {dashboard.Switches} times from one run to the other");
        Line($"slow reader: {slow.Delivered} events read, {slow.Dropped} lost");
        foreach ((long missed, string topic, RunEvent before) in slow.Gaps)
            Line($"  missed {missed} events before {before.GetType().Name} of {topic}");
    }

    private static void PrintStatistics(EventBusStatistics s)
    {
        Line($"statistics:");
        Line($"  Published {s.Published}, Delivered {s.Delivered}, Dropped {s.Dropped}, Discarded {s.Discarded}, Queued {s.Queued}");
        Line($"  Topics {s.Topics}, Subscriptions {s.Subscriptions}, HighestFill {s.HighestFill}");
        Line($"  HistoryTopics {s.HistoryTopics}, HistoryEvents {s.HistoryEvents}");
        Line($"  RefusedAfterCompletion {s.RefusedAfterCompletion}, HandlerFailures {s.HandlerFailures}");
    }

    private bool Check(EventBusStatistics statistics)
    {
        Line($"checks:");
        Checks checks = new();
        long published = runs.Sum(run => run.Published);
        long matched = runs.Sum(run => run.Matched);
        long replayed = viewers.Sum(viewer => (long)viewer.FromHistory);
        foreach ((WordCountRun run, RunViewer viewer) in runs.Zip(viewers))
        {
            RunView view = viewer.View;
            RunView all = dashboard.Views[run.Topic];
            long live = view.Events - viewer.FromHistory;
            checks.Equal($"{run.Topic}, published = history + live", run.Published, viewer.FromHistory, live);
            checks.True($"{run.Topic}, the viewer saw it from its beginning to its end, in order", view.IsWhole && view.IsFinished && !viewer.IsTruncated);
            checks.True($"{run.Topic}, the dashboard saw the same", all.IsWhole && all.Events == view.Events && all.Words == view.Words);
        }

        checks.Equal("dashboard, published = seen", published, dashboard.Events);
        checks.True("dashboard, all runs in one order", dashboard.IsInOrder && dashboard.Views.Count == runs.Length);
        checks.True("slow reader, lost something", slow.Dropped > 0);
        checks.Equal("slow reader, published = read + lost", published, slow.Delivered, slow.Dropped);
        checks.Equal("slow reader, lost = told as missed", slow.Dropped, slow.Gaps.Sum(gap => gap.Missed));
        checks.Equal("bus, dropped = lost as the publish calls returned it", statistics.Dropped, runs.Sum(run => run.Dropped));
        checks.Equal("bus, published = calls", statistics.Published, published);
        foreach ((string when, EventBusStatistics s) in new[] { ("while the slow reader waited", whileSlowWaited), ("at the end", statistics) })
        {
            checks.Equal(
                $"bus {when}, matched and replayed = delivered + dropped + discarded + queued",
                matched + replayed,
                s.Delivered,
                s.Dropped,
                s.Discarded,
                s.Queued);
        }

        checks.Equal(
            "bus, history = the last events of each run",
            statistics.HistoryEvents,
            [.. runs.Select(run => Math.Min(run.Published, WordCountRun.HistoryDepth))]);
        return checks.AllHold;
    }
}
