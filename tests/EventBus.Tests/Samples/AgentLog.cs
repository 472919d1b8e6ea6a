using System.Globalization;
using System.Text.RegularExpressions;

namespace EventBus.Tests.Samples;

/// <summary>What AgentEvents printed, taken apart.</summary>
internal sealed partial class AgentLog
{
    private static readonly string[] Tags =
        ["node_up", "agent_started", "task_received", "task_completed", "task_failed", "agent_stopped", "node_down"];

    private readonly IReadOnlyList<string> _lines;

    public AgentLog(SampleResult result)
    {
        _lines = result.Output;
    }

    /// <summary>The tags of the logged events, in order.</summary>
    public IEnumerable<string> Logged => _lines.Select(l => l.Split(' ')[0]).Where(Tags.Contains);

    /// <summary>How often each tag was logged; tags that were not are there with 0.</summary>
    public Dictionary<string, long> LoggedCounts => Tags.ToDictionary(t => t, t => (long)Logged.Count(l => l == t));

    /// <summary>The counts the sample printed itself.</summary>
    public Dictionary<string, long> PrintedCounts => _lines
        .Select(l => PrintedCount().Match(l))
        .Where(m => m.Success)
        .ToDictionary(m => m.Groups[1].Value, m => long.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture));

    /// <summary>What was found out about each file.</summary>
    public Dictionary<string, (string Sha256, long Lines, long Bytes)> Completed => _lines
        .Select(l => CompletedLine().Match(l))
        .Where(m => m.Success)
        .ToDictionary(m => m.Groups["file"].Value, m => (m.Groups["hash"].Value, Number(m, "lines"), Number(m, "bytes")));

    /// <summary>The files that could not be read.</summary>
    public IEnumerable<string> Failed => _lines.Select(l => FailedLine().Match(l)).Where(m => m.Success).Select(m => m.Groups["file"].Value);

    /// <summary>The agents whose events with a tag were logged, in order.</summary>
    public IEnumerable<string> AgentsOf(string tag) =>
        _lines.Where(l => l.StartsWith(tag + " ", StringComparison.Ordinal)).Select(l => l.Split(' ')[1]);

    /// <summary>The lines under a heading.</summary>
    public IEnumerable<string> Below(string heading) => _lines
        .SkipWhile(l => !l.StartsWith(heading, StringComparison.Ordinal))
        .Skip(1)
        .TakeWhile(l => l.StartsWith("  ", StringComparison.Ordinal));

    private static long Number(Match match, string group) => long.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^  ([a-z]+_[a-z]+) +(\d+)$")]
    private static partial Regex PrintedCount();

    [GeneratedRegex(@"^task_completed Worker-\d+ lines=(?<lines>\d+) bytes=(?<bytes>\d+) sha256=(?<hash>[0-9a-f]{64}) (?<file>.*)$")]
    private static partial Regex CompletedLine();

    [GeneratedRegex(@"^task_failed Worker-\d+ (?<file>[^:]*): .+$")]
    private static partial Regex FailedLine();
}
