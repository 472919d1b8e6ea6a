using System.Text.RegularExpressions;

namespace EventBus.Tests.Architecture;

/// <summary>What a reader of any source file can rely on.</summary>
public sealed class SourceTests
{
    private const int MostLines = 400;

    /// <summary>Where a rule holds, what breaks it, and why.</summary>
    public static TheoryData<string, string, string> Rules { get; } = new()
    {
        { "src tests samples", @"^\s*#\s*region", "a region hides what should be a file of its own" },
        { "src tests samples", @"^\s*(//|/\*)\s*[-=*#~/]{4,}", "a banner comment structures what files and types should" },
        { "src tests samples", @"//.*\b(TODO|FIXME|HACK)\b|throw new NotImplementedException", "unfinished work is not merged" },
        { "src tests samples", @"(^|[^A-Za-z0-9.])/(work|tmp|root|home|farm)/", "a path of one machine exists on no other" },
        { "tests", @"\bThread\s*\.\s*Sleep\s*\(|\bTask\s*\.\s*Delay\s*\((?!.*([Cc]lock|[Tt]imeProvider))|\bSpinUntil\s*\(", "tests await a signal or turn a fake clock" },
        { "src", @"\basync void\b", "an exception of an async void method ends the process" },
    };

    [Theory]
    [MemberData(nameof(Rules))]
    public void NoLine_BreaksTheRule(string folders, string pattern, string because)
    {
        Regex rule = new(pattern);
        IEnumerable<string> broken =
            from file in Repository.SourcesBelow(folders.Split(' '))
            where !file.EndsWith($"/{nameof(SourceTests)}.cs", StringComparison.Ordinal)
                && !file.StartsWith("tests/EventBus.Benchmarks/", StringComparison.Ordinal)
            from line in File.ReadLines(Repository.PathOf(file)).Select((text, index) => (Text: text, Number: index + 1))
            where rule.IsMatch(line.Text)
            select $"{file}:{line.Number}: {line.Text.Trim()}";

        broken.Should().BeEmpty(because);
    }

    [Fact]
    public void NoFile_IsLongerThanAReaderCanHoldInMind()
    {
        IEnumerable<string> tooLong =
            from file in Repository.SourcesBelow("src", "tests", "samples")
            let lines = File.ReadLines(Repository.PathOf(file)).Count()
            where lines > MostLines
            select $"{file}: {lines} lines";

        tooLong.Should().BeEmpty();
    }

    [Theory]
    [InlineData("        Thread.Sleep(10);")]
    [InlineData("        await Task.Delay(10);")]
    [InlineData("        SpinWait.SpinUntil(() => done);")]
    [InlineData("#region Fields")]
    [InlineData("    // ---------- fields ----------")]
    [InlineData("    // TODO: later")]
    [InlineData("    string path = \"/tmp/x\";")]
    public void Rules_SeeWhatTheyForbid(string line) =>
        Rules.Should().Contain(rule => Regex.IsMatch(line, (string)rule[1]));
}
