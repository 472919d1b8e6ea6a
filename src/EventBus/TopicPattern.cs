using System.Diagnostics.CodeAnalysis;

namespace EventBus;

/// <summary>What a subscription listens to: a topic, or one with wildcard segments. Parsed once, matched often; immutable.</summary>
/// <remarks>
/// The rules are those of AMQP's topic exchange, on segments split by <c>:</c>. <c>*</c> stands for exactly one segment,
/// <c>#</c> for zero or more, anywhere; <c>#</c> alone is every topic. <c>agent:*</c> matches <c>agent:7</c>, but neither
/// <c>agent</c> nor <c>agent:mail:7</c>; <c>agent:#</c> matches all three. As MQTT does with <c>$SYS</c>, a wildcard in the first
/// position does not match a topic whose first segment starts with <c>$</c>.
/// </remarks>
public sealed class TopicPattern
{
    private readonly string _pattern;

    /// <summary>The segments of a pattern with wildcards; one without is kept as one string, as there may be one for each of many topics.</summary>
    private readonly string[]? _segments;

    private TopicPattern(string pattern)
    {
        _pattern = pattern;
        foreach (Range range in pattern.AsSpan().Split(TopicRules.Separator))
        {
            ReadOnlySpan<char> segment = pattern.AsSpan(range);
            if (TopicRules.IsOneSegment(segment) || TopicRules.IsAnySegments(segment))
            {
                _segments = pattern.Split(TopicRules.Separator);
                return;
            }
        }
    }

    /// <summary>Whether the pattern has no wildcard, so that it matches only the topic of the same name.</summary>
    public bool IsExact => _segments is null;

    /// <summary>The pattern's segments.</summary>
    internal ReadOnlySpan<string> Segments => _segments ?? _pattern.Split(TopicRules.Separator);

    /// <summary>Parses a pattern.</summary>
    /// <param name="pattern">The pattern: 1 to 255 characters, no empty segment, no control character.</param>
    /// <returns>The pattern.</returns>
    /// <exception cref="ArgumentException">It is no pattern; the message quotes it and names the rule.</exception>
    public static TopicPattern Parse(string pattern)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return TopicRules.PatternFault(pattern) is { } fault
            ? throw new ArgumentException($"\"{TopicRules.Quote(pattern)}\" is no pattern: {fault}", nameof(pattern))
            : new TopicPattern(pattern);
    }

    /// <summary>Parses a pattern if it is one.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="result">The parsed pattern, or null.</param>
    /// <returns>True if it is a pattern.</returns>
    public static bool TryParse(string? pattern, [NotNullWhen(true)] out TopicPattern? result)
    {
        result = TopicRules.PatternFault(pattern) is null ? new TopicPattern(pattern!) : null;
        return result is not null;
    }

    /// <summary>Whether a topic is one this pattern stands for. Allocates nothing.</summary>
    /// <param name="topic">A concrete topic; what is no topic matches nothing but may match by accident of its segments.</param>
    /// <returns>True if it is.</returns>
    public bool Matches(ReadOnlySpan<char> topic)
    {
        if (topic.IsEmpty)
            return false;
        if (_segments is null)
            return topic.SequenceEqual(_pattern);
        if (TopicRules.IsOwn(topic) && (TopicRules.IsOneSegment(_segments[0]) || TopicRules.IsAnySegments(_segments[0])))
            return false;

        // A '#' first stands for nothing and takes one segment more each time the rest does not fit. Only the last '#' met need
        // ever be widened: whatever an earlier one could take, the later one can take too. So the work is at most
        // segments of the topic × segments of the pattern.
        int segment = 0, start = 0;
        int anySegment = -1, anyStart = 0;
        while (start <= topic.Length)
        {
            int length = topic[start..].IndexOf(TopicRules.Separator);
            int end = length < 0 ? topic.Length : start + length;
            if (segment < _segments.Length && TopicRules.IsAnySegments(_segments[segment]))
            {
                anySegment = segment++;
                anyStart = start;
            }
            else if (segment < _segments.Length
                && (TopicRules.IsOneSegment(_segments[segment]) || topic[start..end].SequenceEqual(_segments[segment])))
            {
                segment++;
                start = end + 1;
            }
            else if (anySegment >= 0)
            {
                segment = anySegment + 1;
                int taken = topic[anyStart..].IndexOf(TopicRules.Separator);
                start = anyStart = taken < 0 ? topic.Length + 1 : anyStart + taken + 1;
            }
            else
            {
                return false;
            }
        }

        while (segment < _segments.Length && TopicRules.IsAnySegments(_segments[segment]))
            segment++;
        return segment == _segments.Length;
    }

    /// <summary>Whether there may be a topic that both patterns match. In doubt (the bus's own topics) it is true.</summary>
    internal bool Overlaps(TopicPattern other)
    {
        // Whether the first segments of this pattern and of the other can stand for the same ones, row by row of this pattern's.
        ReadOnlySpan<string> others = other.Segments;
        bool[] row = new bool[others.Length + 1];
        row[0] = true;
        for (int i = 0; i < others.Length; i++)
            row[i + 1] = row[i] && TopicRules.IsAnySegments(others[i]);
        foreach (string segment in Segments)
        {
            bool isAny = TopicRules.IsAnySegments(segment);
            bool diagonal = row[0];
            row[0] &= isAny;
            for (int i = 0; i < others.Length; i++)
            {
                bool above = row[i + 1];
                bool isSame = TopicRules.IsOneSegment(segment) || TopicRules.IsOneSegment(others[i]) || segment == others[i];
                row[i + 1] = isAny || TopicRules.IsAnySegments(others[i]) ? above || row[i] || diagonal : diagonal && isSame;
                diagonal = above;
            }
        }

        return row[others.Length];
    }

    /// <summary>The pattern as it was parsed.</summary>
    /// <returns>The pattern.</returns>
    public override string ToString() => _pattern;
}
