using System.Diagnostics.CodeAnalysis;

namespace Samples.Experiments;

/// <summary>Where logs and results go.</summary>
/// <param name="ConnectionString">To PostgreSQL; null: to the file.</param>
/// <param name="File">The file of JSON lines.</param>
/// <param name="IsUntilStopped">Whether the endless run goes on until Ctrl-C.</param>
internal sealed record Settings(string? ConnectionString, string File, bool IsUntilStopped)
{
    public const string Usage =
        "[--postgres <connection string> | --file <path>] [--until-stopped]; the environment's ConnectionStrings__Experiments stands " +
        "for --postgres";

    public static bool TryParse(string[] args, string? configured, [NotNullWhen(true)] out Settings? settings, out string mistake)
    {
        (settings, mistake) = (null, "");
        string? connectionString = null, file = null;
        bool isUntilStopped = false;
        for (int i = 0; i < args.Length; i++)
        {
            if (args[i] == "--until-stopped")
            {
                isUntilStopped = true;
                continue;
            }

            if (args[i] is not ("--postgres" or "--file"))
                mistake = $"there is no option \"{args[i]}\". Usage: {Usage}.";
            else if (i + 1 == args.Length || string.IsNullOrWhiteSpace(args[i + 1]))
                mistake = $"{args[i]} needs a value. Usage: {Usage}.";
            else if (args[i] == "--postgres")
                connectionString = args[++i];
            else
                file = args[++i];
            if (mistake.Length > 0)
                return false;
        }

        if (connectionString is not null && file is not null)
        {
            mistake = $"--postgres and --file exclude each other. Usage: {Usage}.";
            return false;
        }

        if (file is null && string.IsNullOrWhiteSpace(connectionString))
            connectionString = string.IsNullOrWhiteSpace(configured) ? null : configured;
        settings = new Settings(connectionString, file ?? DefaultFile(), isUntilStopped);
        return true;
    }

    /// <summary>One for each start, so that two programs at once do not write into the same.</summary>
    private static string DefaultFile() => Path.Combine(Path.GetTempPath(), $"experiments-{DateTime.Now:yyyyMMdd-HHmmss}-{Environment.ProcessId}.jsonl");
}
