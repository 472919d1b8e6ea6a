using System.Diagnostics;

namespace EventBus.Tests.Samples;

/// <summary>Runs a built sample as its own process, as a user does, and returns what it printed.</summary>
internal static class SampleRunner
{
    /// <summary>Runs a sample to its end.</summary>
    public static async Task<SampleResult> RunAsync(string sample, params string[] arguments)
    {
        await using SampleProcess process = Start(sample, arguments);
        return await process.WaitForExitAsync();
    }

    /// <summary>Starts a sample; dispose it, which ends it if it still runs.</summary>
    public static SampleProcess Start(
        string sample,
        IEnumerable<string>? arguments = null,
        string? workingDirectory = null,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        ProcessStartInfo start = new(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            WorkingDirectory = workingDirectory ?? Repository.Root,
        };
        start.ArgumentList.Add("exec");
        start.ArgumentList.Add(FindAssembly(sample));
        foreach (string argument in arguments ?? [])
            start.ArgumentList.Add(argument);
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        return new SampleProcess(sample, start);
    }

    /// <summary>The sample that was built with these tests: in the same configuration, or into the same folder.</summary>
    private static string FindAssembly(string sample)
    {
        string here = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
        string framework = Path.GetFileName(here);
        string configuration = Path.GetFileName(Path.GetDirectoryName(here)!);
        string[] candidates =
        [
            Path.Combine(here, $"{sample}.dll"),
            Repository.PathOf("samples", sample, "bin", configuration, framework, $"{sample}.dll"),
        ];
        return candidates.FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException($"The sample {sample} is not built; looked for {string.Join(" and ", candidates)}.");
    }
}

/// <summary>What a sample printed, line by line, and how it ended.</summary>
internal sealed record SampleResult(int ExitCode, IReadOnlyList<string> Output, IReadOnlyList<string> Errors);
