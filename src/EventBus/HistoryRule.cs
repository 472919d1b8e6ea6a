namespace EventBus;

/// <summary>Which topics keep history, and how much of it. Memory is bounded by <see cref="Depth"/> × <see cref="MaxTopics"/> events, and one for each type of <see cref="LatestOnly"/> and topic.</summary>
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

    /// <summary>
    /// The age at which an event is forgotten. Default null: events are kept until newer ones push them out. From that age on nobody is handed
    /// the event; its memory is let go of, without anybody asking, within a quarter of the age or 10 seconds, whichever is more.
    /// </summary>
    public TimeSpan? MaxAge { get; set; }

    /// <summary>
    /// Types of events of which a topic keeps only the newest, one for each type: progress, say, of which only the last counts. Default
    /// empty. No null, no duplicate, no open generic type. To be set in code: configuration cannot name types.
    /// </summary>
    /// <remarks>
    /// An event is of a listed type if its runtime type is the type, derives from it or implements it; if it is of several, it stays as
    /// long as it is the newest of one of them. These events are kept beside <see cref="Depth"/> and take no room from others. A
    /// replay has them in the order in which they were published; one that a newer one has replaced counts as neither missed nor lost.
    /// </remarks>
    public IList<Type> LatestOnly { get; set; } = [];

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
        if (LatestOnly is null)
            yield return $"{nameof(LatestOnly)} is null; it must be a list of types, which may be empty.";
        for (int i = 0; i < (LatestOnly?.Count ?? 0); i++)
        {
            Type type = LatestOnly![i];
            if (type is null)
                yield return $"{nameof(LatestOnly)}[{i}] is null; it must be a type of events.";
            else if (type.ContainsGenericParameters)
                yield return $"{nameof(LatestOnly)}[{i}] is {type}; no event is of an open generic type, name a closed one.";
            else if (LatestOnly.IndexOf(type) < i)
                yield return $"{nameof(LatestOnly)}[{i}] is {type}; it must be named once.";
        }
    }
}
