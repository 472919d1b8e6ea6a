using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using EventBus.Testing;
using Samples.Experiments;
using ExperimentTopics = Samples.Experiments.Topics;

namespace EventBus.Tests.Samples;

public sealed class ExperimentRunsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("experiment-runs-");

    private string File => Path.Combine(_folder.FullName, "runs.jsonl");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task ExperimentRuns_IntoAFile_HoldsWhatWasBroadcastAndExitsWith0()
    {
        SampleResult result = await SampleRunner.RunAsync("ExperimentRuns", "--file", File);

        AssertAllIsRight(result);
        string[] lines = await System.IO.File.ReadAllLinesAsync(File);
        lines.Should().HaveCount(RowsOf(result)).And.NotContain(l => l.Contains("progress", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ExperimentRuns_TwiceIntoTheSameFile_AppendsAndUsesNoIdAgain()
    {
        SampleResult first = await SampleRunner.RunAsync("ExperimentRuns", "--file", File);
        SampleResult second = await SampleRunner.RunAsync("ExperimentRuns", "--file", File);

        AssertAllIsRight(second);
        string[] lines = await System.IO.File.ReadAllLinesAsync(File);
        lines.Should().HaveCount(RowsOf(first) + RowsOf(second));
        lines.Select(IdOf).Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
    }

    [Fact]
    public async Task ExperimentRuns_FileWhoseLastLineACrashCutShort_GoesOnWithoutIt()
    {
        SampleResult first = await SampleRunner.RunAsync("ExperimentRuns", "--file", File);
        await System.IO.File.AppendAllTextAsync(File, "{\"Id\":17,\"Topic\":\"expe");

        SampleResult second = await SampleRunner.RunAsync("ExperimentRuns", "--file", File);

        AssertAllIsRight(second);
        (await System.IO.File.ReadAllLinesAsync(File)).Should().HaveCount(RowsOf(first) + RowsOf(second));
    }

    [Fact]
    public async Task ExperimentRuns_CtrlC_CancelsTheRunsAndKeepsWhatTheyFound()
    {
        await using SampleProcess process = SampleRunner.Start("ExperimentRuns", ["--until-stopped", "--file", File]);
        await process.WaitForLineAsync(l => l.EndsWith("goes on until Ctrl-C.", StringComparison.Ordinal));

        await process.InterruptAsync();
        SampleResult result = await process.WaitForExitAsync();

        result.ExitCode.Should().Be(0, "{0}", string.Join('\n', result.Errors));
        result.Errors.Should().BeEmpty();
        result.Output.Should().Contain(l => l.StartsWith("Stopped", StringComparison.Ordinal))
            .And.Contain(l => l.Contains("run_cancelled", StringComparison.Ordinal));
        System.IO.File.ReadLines(File).Should().HaveCount(RowsOf(result));
    }

    [Theory]
    [InlineData("no option \"--fast\"", "--fast")]
    [InlineData("--file needs a value", "--file")]
    [InlineData("exclude each other", "--file", "x", "--postgres", "Host=x")]
    [InlineData("cannot be written", "--file", "/nowhere/at/all.jsonl")]
    [InlineData("PostgreSQL cannot be used", "--postgres", "nonsense")]
    [InlineData("PostgreSQL cannot be used", "--postgres", "Host=127.0.0.1;Port=1;Username=nobody")]
    public async Task ExperimentRuns_WhatCannotBeDone_IsOneLineAndExitsWith2(string expected, params string[] arguments)
    {
        SampleResult result = await SampleRunner.RunAsync("ExperimentRuns", arguments);

        result.ExitCode.Should().Be(2);
        result.Output.Should().BeEmpty();
        result.Errors.Should().ContainSingle().Which.Should().StartWith("ExperimentRuns: ").And.Contain(expected);
    }

    [Fact]
    public async Task ExperimentRuns_FileOfSomethingElse_IsLeftAlone()
    {
        await System.IO.File.WriteAllTextAsync(File, "Dear diary");

        SampleResult result = await SampleRunner.RunAsync("ExperimentRuns", "--file", File);

        result.ExitCode.Should().Be(2);
        result.Errors.Should().ContainSingle().Which.Should().Contain(File);
        (await System.IO.File.ReadAllTextAsync(File)).Should().Be("Dear diary");
    }

    [Fact]
    public async Task LateViewer_OfARunThatReportedTenThousandTimes_SeesItsStartLogsResultsAndTheLastProgress()
    {
        EventBusOptions options = new();
        ExperimentTopics.KeepRuns(options);
        using InProcessEventBus bus = new(options);
        await using JsonLinesStore store = new(new Settings(null, File, IsUntilStopped: false));
        await store.OpenAsync(CancellationToken.None);
        await using WriteBehindPublisher<RunData> data = new(bus, store);
        Laboratory laboratory = new(bus, data, TimeProvider.System);
        Run run = laboratory.CreateRun(laboratory.CreateInstance("a talkative one", new SweepParameters([1], Replicates: 10_000, Seed: 1)).Id);
        await laboratory.ExecuteAsync(run, CancellationToken.None);

        RunViewer late = new(bus, run);
        await late.WatchAsync().Soon();

        // Logs and results come a moment after they were handed in; the last of them may come after the last progress or before.
        late.Events.Select(e => e.Name).Where(n => n != "run_progress").Should()
            .Equal("run_created", "run_started", "run_logs", "run_results", "run_result", "run_log", "run_completed");
        late.Events.OfType<RunProgress>().Should().ContainSingle().Which.Current.Should().Be(10_000);
    }

    [Fact]
    public async Task JsonLinesStore_BatchThatComesAgain_StoresItOnce()
    {
        await using JsonLinesStore store = new(new Settings(null, File, IsUntilStopped: false));

        await AssertStoresOnceAsync(store);
    }

    /// <summary>A batch comes again, with more or without: each event is stored once, in order.</summary>
    internal static async Task AssertStoresOnceAsync(IRunDataStore store)
    {
        DateTimeOffset now = new FakeTimeProvider().Start;
        string topic = $"experiments:run:{Guid.NewGuid():N}";
        BufferedEvent<RunData>[] batch =
        [
            .. Enumerable.Range(0, 5).Select(i => new BufferedEvent<RunData>(
                DateTimeOffset.UtcNow.Ticks + i, topic, new RunData.Log("r", new LogEntry(now, "info", $"\"{i}\"\n")), now)),
        ];
        await store.OpenAsync(CancellationToken.None);

        await store.AppendAsync(batch[..3], CancellationToken.None);
        await store.AppendAsync(batch[..3], CancellationToken.None);
        await store.AppendAsync(batch[1..], CancellationToken.None);

        List<StoredEvent> stored = [];
        await foreach (StoredEvent row in store.ReadAsync([topic], CancellationToken.None))
            stored.Add(row);
        stored.Should().Equal(batch.Select(b => new StoredEvent(b.Id, b.Topic, b.CreatedAt, b.Event)));
    }

    internal static void AssertAllIsRight(SampleResult result)
    {
        result.ExitCode.Should().Be(0, "{0}", string.Join('\n', result.Errors));
        result.Errors.Should().BeEmpty();
        string output = string.Join('\n', result.Output);
        output.Should().ContainAll(
            "experiments:instances: ", "experiments:instance:", "experiments:run:",
            "instance_created", "instance_updated", "instance_deleted",
            "run_created", "run_started", "run_completed", "run_failed", "run_cancelled",
            "run_log,", "run_logs", "run_result,", "run_results", "run_progress");
        result.Output.Count(l => l.StartsWith("  ok ", StringComparison.Ordinal)).Should().Be(8);
        RowsOf(result).Should().BeGreaterThan(20);
    }

    /// <summary>The number of rows that the sample read back.</summary>
    internal static int RowsOf(SampleResult result) => int.Parse(
        Regex.Match(string.Join('\n', result.Output), @"\((\d+) rows\)").Groups[1].Value, CultureInfo.InvariantCulture);

    private static long IdOf(string line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        return document.RootElement.GetProperty("Id").GetInt64();
    }
}
