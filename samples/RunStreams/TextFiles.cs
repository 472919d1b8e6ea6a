using System.IO.Enumeration;

namespace Samples.Runs;

/// <summary>Which files to count when none are named: the Markdown and C# files of the repository around the current folder.</summary>
internal static class TextFiles
{
    private const string RepositoryMark = "EventBus.sln";

    public static string[] FindDefault()
    {
        string current = Directory.GetCurrentDirectory();
        string folder = current;
        for (DirectoryInfo? parent = new(current); parent is not null; parent = parent.Parent)
        {
            if (File.Exists(Path.Combine(parent.FullName, RepositoryMark)))
                folder = parent.FullName;
        }

        FileSystemEnumerable<string> files = new(
            folder,
            (ref FileSystemEntry entry) => entry.ToSpecifiedFullPath(),
            new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.Hidden })
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && IsText(entry.FileName),

            // Build output is nobody's text, and a link may lead in a circle.
            ShouldRecursePredicate = (ref FileSystemEntry entry) =>
                entry.FileName is not ("bin" or "obj") && !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
        };
        return [.. files.Order(StringComparer.Ordinal)];
    }

    private static bool IsText(ReadOnlySpan<char> name) =>
        name.EndsWith(".md", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".cs", StringComparison.OrdinalIgnoreCase);
}
