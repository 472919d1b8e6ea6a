using System.Diagnostics;

namespace EventBus.Tests.Samples;

/// <summary>Finds the server programs of PostgreSQL, and has them installed if they are missing; once for all tests.</summary>
internal static class PostgresPrograms
{
    private static readonly TimeSpan InstallLimit = TimeSpan.FromMinutes(5);
    private static readonly Lazy<(string? Folder, string? Fault)> Found = new(Find);

    /// <summary>Why there are none; null: there are.</summary>
    public static string? Fault => Found.Value.Fault;

    /// <summary>Where they are.</summary>
    public static string Folder => Found.Value.Folder ?? throw new InvalidOperationException(Fault);

    private static (string? Folder, string? Fault) Find()
    {
        if (OperatingSystem.IsWindows())
            return (null, "PostgreSQL is installed by a shell script, which does not run on Windows.");
        ProcessStartInfo start = new("bash", [Repository.PathOf("tests", "install-postgresql.sh")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using Process install = Process.Start(start)!;
            Task<string> output = install.StandardOutput.ReadToEndAsync(), errors = install.StandardError.ReadToEndAsync();
            if (!install.WaitForExit(InstallLimit))
            {
                install.Kill(entireProcessTree: true);
                return (null, $"Installing PostgreSQL took longer than {InstallLimit.TotalMinutes} minutes.");
            }

            string fault = errors.GetAwaiter().GetResult().Trim().Split('\n')[^1];
            return install.ExitCode == 0
                ? (output.GetAwaiter().GetResult().Trim(), null)
                : (null, fault.Length > 0 ? fault : $"Installing PostgreSQL failed with exit code {install.ExitCode}.");
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            return (null, $"PostgreSQL cannot be looked for: {exception.Message}");
        }
    }
}
