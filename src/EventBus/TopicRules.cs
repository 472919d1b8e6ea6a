using System.Runtime.CompilerServices;

namespace EventBus;

/// <summary>The one place that says which strings are topics and which are patterns.</summary>
internal static class TopicRules
{
    public const char Separator = ':';
    public const char OwnPrefix = '$';
    private const string OneSegment = "*";
    private const string AnySegments = "#";

    /// <summary>Whether a segment of a pattern is the wildcard for exactly one segment.</summary>
    public static bool IsOneSegment(ReadOnlySpan<char> segment) => segment is OneSegment;

    /// <summary>Whether a segment of a pattern is the wildcard for zero or more segments.</summary>
    public static bool IsAnySegments(ReadOnlySpan<char> segment) => segment is AnySegments;

    /// <summary>Whether a topic is the bus's own.</summary>
    public static bool IsOwn(ReadOnlySpan<char> topic) => topic.Length > 0 && topic[0] == OwnPrefix;

    public static void ThrowIfNoTopic([System.Diagnostics.CodeAnalysis.NotNull] string? topic, [CallerArgumentExpression(nameof(topic))] string? parameterName = null)
    {
        ArgumentNullException.ThrowIfNull(topic, parameterName);
        if (TopicFault(topic) is { } fault)
            throw new ArgumentException($"\"{Quote(topic)}\" is no topic: {fault}", parameterName);
    }

    /// <summary>Refuses what users may not publish to: everything that is no topic, and the bus's own topics.</summary>
    public static void ThrowIfNotPublishable([System.Diagnostics.CodeAnalysis.NotNull] string? topic, [CallerArgumentExpression(nameof(topic))] string? parameterName = null)
    {
        ThrowIfNoTopic(topic, parameterName);
        if (IsOwn(topic))
        {
            throw new ArgumentException(
                $"\"{topic}\" cannot be published to: topics whose first segment starts with '{OwnPrefix}' are the bus's own and can " +
                "only be listened to. Choose another first segment.",
                parameterName);
        }
    }

    /// <summary>What keeps a string from being a topic; null if nothing does.</summary>
    public static string? TopicFault(string? topic) => Fault(topic, wildcards: false);

    /// <summary>What keeps a string from being a pattern; null if nothing does.</summary>
    public static string? PatternFault(string? pattern) => Fault(pattern, wildcards: true);

    /// <summary>A string as it can stand in a message: control characters shown, and not endless.</summary>
    public static string Quote(string text)
    {
        string shown = string.Concat(text.Take(Topic.MaxLength).Select(c => char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString()));
        return text.Length > Topic.MaxLength ? shown + "…" : shown;
    }

    private static string? Fault(string? text, bool wildcards)
    {
        if (string.IsNullOrEmpty(text))
            return $"it is empty; it must have 1 to {Topic.MaxLength} characters.";
        if (text.Length > Topic.MaxLength)
            return $"it has {text.Length} characters; {Topic.MaxLength} are the most.";
        foreach (Range range in text.AsSpan().Split(Separator))
        {
            ReadOnlySpan<char> segment = text.AsSpan(range);
            if (segment.IsEmpty)
                return $"a segment is empty; write no '{Separator}' at the start, at the end or twice in a row.";
            if (!wildcards && (IsOneSegment(segment) || IsAnySegments(segment)))
                return $"the segment '{segment}' is a wildcard, which only a subscription's pattern may have.";
            foreach (char c in segment)
            {
                if (char.IsControl(c))
                    return $"it contains the control character U+{(int)c:X4}, which is not allowed.";
            }
        }

        return null;
    }
}
