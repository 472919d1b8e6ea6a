namespace EventBus;

/// <summary>Which topics keep history, and how much of it. Memory is bounded by <see cref="Depth"/> × <see cref="MaxTopics"/> events.</summary>
public sealed class HistoryRule
{
    private const int MaxBound = 1_048_576;

    /// <summary>The topics the rule is for: a topic or a pattern with wildcards. Required.</summary>
    public string Pattern { get; set; } = "";

    /// <summary>The number of events kept for each topic. Default 500, range 1 to 1,048,576.</summary>
    public int Depth { get; set; } = 500;

    /// <summary>
    /// The number of topics kept under this rule. Default 200, range 1 to 1,048,576. Above it the history of the least recently
    /// used topic goes; publishing to a topic and replaying it are use.
    /// </summary>
    public int MaxTopics { get; set; } = 200;

    /// <summary>The age at which an event is forgotten. Default null: events are kept until newer ones push them out.</summary>
    public TimeSpan? MaxAge { get; set; }

    /// <summary>What is wrong with this rule.</summary>
    internal IEnumerable<string> Failures()
    {
        if (!TopicPattern.TryParse(Pattern, out _))
            yield return $"{nameof(Pattern)} is \"{Pattern}\"; {TopicRules.PatternFault(Pattern)}";
        if (Depth is < 1 or > MaxBound)
            yield return $"{nameof(Depth)} is {Depth}; it must be 1 to {MaxBound} events.";
        if (MaxTopics is < 1 or > MaxBound)
            yield return $"{nameof(MaxTopics)} is {MaxTopics}; it must be 1 to {MaxBound} topics.";
        if (MaxAge <= TimeSpan.Zero)
            yield return $"{nameof(MaxAge)} is {MaxAge}; it must be above 0, or null for no age limit.";
    }
}
