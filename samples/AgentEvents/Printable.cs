using System.Globalization;

namespace Samples.Agents;

/// <summary>Text as it can be printed: a file's name may hold anything, a line break included.</summary>
internal static class Printable
{
    public static string OneLine(string text) =>
        text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? Escape(c) : c.ToString())) : text;

    private static string Escape(char c) => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
}
