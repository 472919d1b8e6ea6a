using System.Globalization;
using System.Text.RegularExpressions;

namespace EventBus.Tests.Samples;

public sealed class RunStreamsTests : IDisposable
{
    private readonly SampleFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task RunStreams_ItsOwnRepository_AddsUpAndExitsWith0()
    {
        SampleResult result = await SampleRunner.RunAsync("RunStreams");

        result.ExitCode.Should().Be(0, "{0}", string.Join('\n', result.Errors));
        result.Errors.Should().BeEmpty();
        result.Output.Should().Contain(l => l.StartsWith("run:even: ", StringComparison.Ordinal));
        result.Output.Should().Contain(l => l.StartsWith("run:odd: ", StringComparison.Ordinal));
        result.Output.Count(l => l.StartsWith("  ok ", StringComparison.Ordinal)).Should().BeGreaterThan(10);
    }

    [Fact]
    public async Task RunStreams_FilesOfAnySize_CountsTheirWordsAndReplaysTheBeginning()
    {
        // One much longer than history, one empty, one of a single word longer than a block, one with words cut by blocks.
        string[] texts = [Words(400_000), "", new string('x', 10_000), $"  {Words(5_000)}\r\n\tend"];
        string[] files = [.. texts.Select((text, i) => _folder.Write($"text {i}.md", text))];

        SampleResult result = await SampleRunner.RunAsync("RunStreams", files);

        result.ExitCode.Should().Be(0, "{0}", string.Join('\n', result.Errors));
        NumbersOf(result, "run:even: ")[0].Should().Be(CountWords(texts[0]) + CountWords(texts[2]));
        NumbersOf(result, "run:odd: ")[0].Should().Be(CountWords(texts[1]) + CountWords(texts[3]));
        long[] joined = NumbersOf(result, "  its viewer joined late: ");
        joined.Should().HaveCount(2).And.OnlyContain(n => n > 0, "part comes from history and part live");
        (joined[0] + joined[1]).Should().BeGreaterThan(500, "the run is longer than the history that is kept");
        long[] slow = NumbersOf(result, "slow reader: ");
        slow[0].Should().Be(2);
        NumbersOf(result, "dashboard: ")[0].Should().Be(slow[0] + slow[1]);
        NumbersOf(result, "  missed ")[0].Should().Be(slow[1]);
    }

    [Fact]
    public async Task RunStreams_OneEmptyFile_StillShowsEveryPart()
    {
        SampleResult result = await SampleRunner.RunAsync("RunStreams", _folder.Write("empty.md", ""));

        result.ExitCode.Should().Be(0, "{0}", string.Join('\n', result.Errors));
        NumbersOf(result, "slow reader: ").Should().Equal(2, 2);
        NumbersOf(result, "  its viewer joined late: ").Should().Equal(1, 1);
    }

    [Fact]
    public async Task RunStreams_MissingFile_SaysSoAndExitsWith2()
    {
        string missing = _folder.PathOf("missing.md");

        SampleResult result = await SampleRunner.RunAsync("RunStreams", missing);

        result.ExitCode.Should().Be(2);
        result.Output.Should().BeEmpty();
        result.Errors.Should().ContainSingle().Which.Should().Contain(missing);
    }

    private static string Words(int count) => string.Join(' ', Enumerable.Range(0, count));

    /// <summary>Another way to count than the sample's.</summary>
    private static long CountWords(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;

    private static long[] NumbersOf(SampleResult result, string start)
    {
        string line = result.Output.First(l => l.StartsWith(start, StringComparison.Ordinal));
        return [.. Regex.Matches(line, @"\d+").Select(m => long.Parse(m.Value, CultureInfo.InvariantCulture))];
    }
}
