using System.Security.Cryptography;

namespace EventBus.Tests.Samples;

public sealed class AgentEventsProcessTests : IDisposable
{
    private readonly SampleFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task AgentEvents_FolderOfManyKinds_ReportsWhatAnotherCountFinds()
    {
        _folder.Write("crlf.txt", "one\r\ntwo\r\n");
        _folder.Write("empty", "");
        _folder.Write("a/b/c/unfinished line.txt", "one\ntwo\nthree");
        _folder.Write("a/only breaks", "\n\n\n");
        _folder.Write(".hidden/.file", "there\n");
        byte[] noise = new byte[1_000_000];
        new Random(7).NextBytes(noise);
        _folder.Write("noise.bin", noise);
        Directory.CreateDirectory(_folder.PathOf("nothing in it"));

        SampleResult result = await RunAsync();

        AgentLog log = new(result);
        log.Completed.Should().Equal(Recompute());
        log.Failed.Should().BeEmpty();
        log.Below("largest of 6 files:").First().Should().Be($"  1000000 bytes, {log.Completed["noise.bin"].Lines} lines, noise.bin");
        ShouldBeComplete(result, completed: 6, failed: 0);
    }

    [Fact]
    public async Task AgentEvents_WhatCannotBeRead_IsAnEventOfItsOwn()
    {
        _folder.Write("a.txt", "fine\n");
        _folder.Write("z.txt", "fine too\n");
        File.CreateSymbolicLink(_folder.PathOf("dangling"), _folder.PathOf("nowhere"));
        File.CreateSymbolicLink(_folder.PathOf("itself"), _folder.PathOf("itself"));
        List<string> unreadable = ["dangling", "itself"];

        // Nothing is forbidden to root, so only others can try this.
        if (!OperatingSystem.IsWindows() && !Environment.IsPrivilegedProcess)
        {
            File.SetUnixFileMode(_folder.Write("forbidden.txt", "secret"), UnixFileMode.None);
            Directory.CreateDirectory(_folder.PathOf("forbidden"), UnixFileMode.None);
            unreadable.AddRange(["forbidden.txt", "forbidden"]);
        }

        SampleResult result = await RunAsync();

        AgentLog log = new(result);
        log.Failed.Should().BeEquivalentTo(unreadable);
        log.Completed.Keys.Should().BeEquivalentTo("a.txt", "z.txt");
        ShouldBeComplete(result, completed: 2, failed: unreadable.Count);
    }

    [Fact]
    public async Task AgentEvents_LinksInACircle_AreNotFollowed()
    {
        _folder.Write("sub/file.txt", "once\n");
        Directory.CreateSymbolicLink(_folder.PathOf("sub/up"), _folder.Path);
        Directory.CreateSymbolicLink(_folder.PathOf("again"), _folder.PathOf("sub"));
        File.CreateSymbolicLink(_folder.PathOf("link to a file"), _folder.PathOf("sub/file.txt"));

        SampleResult result = await RunAsync();

        new AgentLog(result).Completed.Keys.Should().BeEquivalentTo(Path.Combine("sub", "file.txt"), "link to a file");
        ShouldBeComplete(result, completed: 2, failed: 0);
    }

    [Fact]
    public async Task AgentEvents_NamesWithAnythingInThem_StayOneLineEach()
    {
        if (OperatingSystem.IsWindows())
            return;
        string[] names = ["line\nbreak", "agent:events:*", "#", "{0} %s $(x)", " blank ", "ü\u0301 日本"];
        foreach (string name in names)
            _folder.Write(name, name);

        SampleResult result = await RunAsync();

        new AgentLog(result).Completed.Keys.Should().BeEquivalentTo(names.Select(n => n.Replace("\n", "\\u000a", StringComparison.Ordinal)));
        ShouldBeComplete(result, completed: names.Length, failed: 0);
    }

    [Fact]
    public async Task AgentEvents_MoreEventsThanChannelsHold_LosesNone()
    {
        const int Files = 3_000;
        for (int i = 0; i < Files; i++)
            _folder.Write($"{i % 10}/{i}", $"{i}\n");

        SampleResult result = await RunAsync();

        AgentLog log = new(result);
        log.Completed.Should().Equal(Recompute());
        log.AgentsOf("task_completed").Distinct().Should().HaveCountGreaterThan(1, "the agents work side by side");
        ShouldBeComplete(result, Files, failed: 0);
    }

    [Fact]
    public async Task AgentEvents_FileLargerThanItsMemory_IsReadInPieces()
    {
        const long Length = 128 << 20;
        string file = _folder.WriteSparse("large", Length);
        Dictionary<string, string> limits = new() { ["DOTNET_GCHeapHardLimit"] = "0x3000000" };
        await using SampleProcess process = SampleRunner.Start("AgentEvents", [_folder.Path], environment: limits);

        SampleResult result = await process.WaitForExitAsync();

        await using FileStream stream = File.OpenRead(file);
        string hash = Convert.ToHexString(await SHA256.HashDataAsync(stream)).ToLowerInvariant();
        new AgentLog(result).Completed.Should().Equal(new Dictionary<string, (string, long, long)> { ["large"] = (hash, 1, Length) });
        ShouldBeComplete(result, completed: 1, failed: 0);
    }

    [Fact]
    public async Task AgentEvents_NoArgument_LooksThroughTheCurrentFolder()
    {
        _folder.Write("here.txt", "here\n");
        await using SampleProcess process = SampleRunner.Start("AgentEvents", workingDirectory: _folder.Path);

        SampleResult result = await process.WaitForExitAsync();

        new AgentLog(result).Completed.Should().Equal(Recompute());
        ShouldBeComplete(result, completed: 1, failed: 0);
    }

    [Fact]
    public async Task AgentEvents_EmptyFolder_StartsAndStops()
    {
        SampleResult result = await RunAsync();

        ShouldBeComplete(result, completed: 0, failed: 0);
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("a file")]
    public async Task AgentEvents_NoSuchFolder_SaysSoInOneLineAndExitsWith2(string name)
    {
        _folder.Write("a file", "not a folder\n");

        SampleResult result = await SampleRunner.RunAsync("AgentEvents", _folder.PathOf(name));

        result.ExitCode.Should().Be(2);
        result.Output.Should().BeEmpty();
        result.Errors.Should().ContainSingle().Which.Should().Contain(_folder.PathOf(name));
    }

    [Fact]
    public async Task AgentEvents_CtrlC_StopsEveryAgentAndSaysGoodbye()
    {
        if (OperatingSystem.IsWindows())
            return;

        // Reading this through would take hours.
        _folder.WriteSparse("endless", 4L << 40);
        await using SampleProcess process = SampleRunner.Start("AgentEvents", [_folder.Path]);
        await process.WaitForLineAsync(l => l.StartsWith("task_received", StringComparison.Ordinal));

        await process.InterruptAsync();
        SampleResult result = await process.WaitForExitAsync();

        new AgentLog(result).Failed.Should().Equal("endless");
        result.Output.Should().Contain("Stopped before all files were read.");
        ShouldBeComplete(result, completed: 0, failed: 1);
    }

    private Task<SampleResult> RunAsync() => SampleRunner.RunAsync("AgentEvents", _folder.Path);

    /// <summary>What holds for every run that had a folder to look through.</summary>
    private static void ShouldBeComplete(SampleResult result, int completed, int failed)
    {
        result.ExitCode.Should().Be(0, "{0}", string.Join('\n', result.Errors));
        result.Errors.Should().BeEmpty();
        AgentLog log = new(result);
        log.LoggedCounts.Should().Contain("task_received", completed + failed)
            .And.Contain("task_completed", completed)
            .And.Contain("task_failed", failed)
            .And.Contain("node_up", 1)
            .And.Contain("node_down", 1);
        log.PrintedCounts.Should().Equal(log.LoggedCounts, "the counter and the logger are two subscribers of the same events");
        log.AgentsOf("agent_started").Should().HaveCountGreaterThan(1).And.OnlyHaveUniqueItems();
        log.AgentsOf("agent_stopped").Should().BeEquivalentTo(log.AgentsOf("agent_started"));
        log.Logged.First().Should().Be("node_up");
        log.Logged.Last().Should().Be("node_down");
        log.Below("largest of ").Should().HaveCount(Math.Min(completed, 10));
    }

    /// <summary>Hashes and counts in another way than the sample does: the whole file at once.</summary>
    private Dictionary<string, (string Sha256, long Lines, long Bytes)> Recompute() =>
        Directory.EnumerateFiles(_folder.Path, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None })
            .ToDictionary(
                file => Path.GetRelativePath(_folder.Path, file),
                file =>
                {
                    byte[] content = File.ReadAllBytes(file);
                    string text = System.Text.Encoding.Latin1.GetString(content);
                    int unfinished = text.Length > 0 && !text.EndsWith('\n') ? 1 : 0;
                    return (Convert.ToHexString(SHA256.HashData(content)).ToLowerInvariant(), text.Split('\n').Length - 1L + unfinished, content.LongLength);
                });
}
