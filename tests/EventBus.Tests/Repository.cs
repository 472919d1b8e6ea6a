namespace EventBus.Tests;

/// <summary>The tree that the tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>The C# files below some folders, without what a build wrote; as paths from the root, with forward slashes.</summary>
    public static IReadOnlyList<string> SourcesBelow(params string[] folders) =>
    [
        .. folders.Select(f => PathOf(f))
            .Where(Directory.Exists)
            .SelectMany(f => Directory.EnumerateFiles(f, "*.cs", SearchOption.AllDirectories))
            .Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/'))
            .Where(f => !f.Contains("/bin/", StringComparison.Ordinal) && !f.Contains("/obj/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal),
    ];

    private static string Find(string folder)
    {
        for (string? candidate = folder; candidate is not null; candidate = Path.GetDirectoryName(candidate))
        {
            if (File.Exists(Path.Combine(candidate, "EventBus.sln")))
                return candidate;
        }

        throw new InvalidOperationException($"{folder} is not below the folder of EventBus.sln: these tests read the sources.");
    }
}
