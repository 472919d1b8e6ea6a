using System.Diagnostics;
using System.Text;
using EventBus.Benchmarks.Measuring;
using EventBus.Benchmarks.Questions;

const string usage = "Usage: -- all | quick | list | calls | <question> [<question> …] [quick] [svg=<folder>]";
string? picture = args.FirstOrDefault(a => a == "svg" || a.StartsWith("svg=", StringComparison.Ordinal));
string? folder = picture is "svg" ? Growth.DefaultFolder : picture?["svg=".Length..];
Question[] questions =
[
    PublishWithRoom.Question,
    PublishWhileDraining.Question,
    PublishToParked.Question,
    EndToEnd.Question,
    Latency.Question,
    IdleSubscriptions.Question,
    HeldByBursts.Question,
    Topics.Question,
    Patterns.Question,
    JoinsAndLeaves.Question,
    ReplayCost.Question,
    TelemetryCost.Question,
    Scaling.Question,
    Growth.Question(folder),
    Groups.Question,
    Lagging.Question,
    Allocations.Question,
];

Console.OutputEncoding = Encoding.UTF8;
Effort effort = args.Contains("quick") ? Effort.Quick : Effort.Full;
string[] asked = [.. args.Where(a => a is not "quick" and not "all" && a != picture)];
if (args.Length == 0 || args is ["list"])
{
    Console.WriteLine(usage);
    foreach (Question question in questions)
        Console.WriteLine($"  {question.Name,-12} {question.Text}");
    Console.WriteLine($"  {"calls",-12} Single calls, by BenchmarkDotNet.");
    return 0;
}

if (args is ["calls"])
{
    SingleCalls.Run();
    return 0;
}

if (asked.FirstOrDefault(a => !questions.Any(q => q.Name == a)) is { } unknown)
{
    Console.Error.WriteLine($"There is no question \"{unknown}\". {usage}");
    return 2;
}

if (folder == "" || (folder is not null && asked.Length > 0 && !asked.Contains("growth")))
{
    Console.Error.WriteLine($"A picture is drawn by \"growth\" alone, into a folder. {usage}");
    return 2;
}

#if DEBUG
Console.WriteLine("This is a debug build: the numbers mean nothing. Run with -c Release.");
#endif
Console.WriteLine(
    $".NET {Environment.Version}, {Environment.ProcessorCount} processors, tiered compilation and profiling as by default. In each table all " +
    "contenders ran in turn in this process; medians of the rounds, ratios to the first row.");
if (effort.IsQuick)
    Console.WriteLine("Quick: this shows that everything runs and nothing is lost. The code is not even compiled for speed yet; its numbers mean nothing.");
long start = Stopwatch.GetTimestamp();
foreach (Question question in questions.Where(q => asked.Length == 0 || asked.Contains(q.Name)))
{
    Console.WriteLine();
    Console.WriteLine($"## {question.Name}: {question.Text}");
    try
    {
        foreach (Table table in question.Answer(effort))
        {
            Console.WriteLine();
            table.Print(withTargets: !effort.IsQuick);
        }
    }
    catch (LostEventException e)
    {
        Console.Error.WriteLine($"FAILED: events were lost, so nothing can be compared. {e.Message}");
        return 1;
    }

    GC.Collect();
}

Console.WriteLine();
Console.WriteLine($"Took {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s.");
return 0;
