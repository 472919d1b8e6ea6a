using System.Globalization;
using EventBus;
using Samples.Runs;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (Array.Find(args, argument => !File.Exists(argument)) is { } missing)
{
    Console.Error.WriteLine($"RunStreams: there is no file \"{missing}\".");
    return 2;
}

string[] files = args.Length > 0 ? args : TextFiles.FindDefault();
if (files.Length == 0)
{
    Console.Error.WriteLine("RunStreams: there is no Markdown or C# file below the current folder; name the files to count.");
    return 2;
}

await using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("run:*", WordCountRun.HistoryDepth));

// The files are dealt out, one here, one there, so that the two runs are about as long.
WordCountRun[] runs =
[
    new(bus, "even", [.. files.Where((_, i) => i % 2 == 0)]),
    new(bus, "odd", [.. files.Where((_, i) => i % 2 == 1)]),
];
Console.WriteLine($"Counting the words of {files.Length} files in {runs.Length} runs.");

// Live when these return: what is published from here on reaches them, whenever they begin to read.
Dashboard dashboard = new(bus, runs.Length);
SlowReader slow = new(bus);
TaskCompletionSource slowMayRead = new(TaskCreationOptions.RunContinuationsAsynchronously);
TaskCompletionSource allJoined = new(TaskCreationOptions.RunContinuationsAsynchronously);

Task slowReading = slow.ReadAsync(slowMayRead.Task);
Task dashboardReading = dashboard.ReadAsync();
Task[] running = [.. runs.Select(run => Task.Run(() => run.ExecuteAsync(allJoined.Task)))];
RunViewer[] viewers = await Task.WhenAll(runs.Select(run => RunViewer.JoinLateAsync(bus, run)));
allJoined.SetResult();

// If the slow reader stalled anyone, this would not end: it is let go only when all others are through.
await Task.WhenAll([.. running, .. viewers.Select(viewer => viewer.ReadToEndAsync()), dashboardReading]);
EventBusStatistics whileSlowWaited = bus.GetStatistics();
slowMayRead.SetResult();
await slowReading;

return new Report(bus, runs, viewers, dashboard, slow, whileSlowWaited).Print() ? 0 : 1;
