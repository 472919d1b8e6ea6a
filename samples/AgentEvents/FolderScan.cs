using System.IO.Enumeration;

namespace Samples.Agents;

/// <summary>Finds every file below a folder: hidden ones and links to files too.</summary>
internal static class FolderScan
{
    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = FileAttributes.None, IgnoreInaccessible = false };

    /// <summary>The files, named from the folder, in a fixed order, found while they are asked for.</summary>
    /// <remarks>
    /// A folder that cannot be listed is named like a file: who tries to read it finds out why, and tells.
    /// </remarks>
    public static IEnumerable<string> FilesBelow(string root)
    {
        Stack<string> folders = new([""]);
        while (folders.TryPop(out string? folder))
        {
            if (TryList(Path.Combine(root, folder)) is not { } entries)
            {
                yield return folder.Length > 0 ? folder : ".";
                continue;
            }

            foreach (Entry entry in entries.Where(e => !e.IsFolder))
                yield return Path.Combine(folder, entry.Name);

            // The last one pushed is the next one looked into. Links to folders may lead in a circle, and out of the root.
            foreach (Entry entry in entries.Where(e => e is { IsFolder: true, IsLink: false }).Reverse())
                folders.Push(Path.Combine(folder, entry.Name));
        }
    }

    private static Entry[]? TryList(string folder)
    {
        FileSystemEnumerable<Entry>.FindTransform toEntry = static (ref FileSystemEntry e) =>
            new Entry(e.FileName.ToString(), e.IsDirectory, e.Attributes.HasFlag(FileAttributes.ReparsePoint));
        try
        {
            return [.. new FileSystemEnumerable<Entry>(folder, toEntry, Everything).OrderBy(e => e.Name, StringComparer.Ordinal)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private sealed record Entry(string Name, bool IsFolder, bool IsLink);
}
