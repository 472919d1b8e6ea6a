using System.Globalization;
using EventBus;
using Microsoft.Extensions.DependencyInjection;

namespace Samples.Agents;

/// <summary>What is printed at the end. Its lines are indented, so that only events begin with a tag.</summary>
internal static class Report
{
    private const int LargestCount = 10;

    private static readonly string[] Tags =
        ["node_up", "agent_started", "task_received", "task_completed", "task_failed", "agent_stopped", "node_down"];

    /// <summary>Prints the counts and the largest files.</summary>
    /// <returns>Whether the work was done, or stopped by the user, and every event handled.</returns>
    public static bool Print(IServiceProvider services)
    {
        EventCounter counter = services.GetRequiredService<EventCounter>();
        Line($"events:");
        foreach (string tag in Tags)
            Line($"  {tag,-14} {counter.CountOf(tag)}");

        IReadOnlyList<FileFacts> files = services.GetRequiredService<CompletedTasks>().Files;
        Line($"largest of {files.Count} files:");
        foreach (FileFacts file in files.OrderByDescending(f => f.Bytes).ThenBy(f => f.File, StringComparer.Ordinal).Take(LargestCount))
            Line($"  {file.Bytes} bytes, {file.Lines} lines, {file.File}");

        AgentPool pool = services.GetRequiredService<AgentPool>();
        if (!pool.IsFinished)
            Line($"Stopped before all files were read.");

        EventBusStatistics statistics = services.GetRequiredService<IEventBus>().GetStatistics();
        long lost = statistics.Dropped + statistics.Discarded + statistics.HandlerFailures;
        if (lost > 0)
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{lost} events did not get through to all subscribers."));
        return lost == 0 && pool.ExecuteTask is not { IsFaulted: true };
    }

    private static void Line(FormattableString line) => Console.WriteLine(Printable.OneLine(line.ToString(CultureInfo.InvariantCulture)));
}
