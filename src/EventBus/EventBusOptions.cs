namespace EventBus;

/// <summary>How a bus behaves. Copied and validated when the bus is created; later changes have no effect.</summary>
public class EventBusOptions
{
    /// <summary>
    /// The name of this node, seen as <see cref="Envelope{TEvent}.Node"/> on other nodes. Default null: a name that is unique
    /// per process (machine, process id and a random part).
    /// </summary>
    public string? NodeName { get; set; }

    /// <summary>
    /// The most live subscriptions the bus holds; one more throws <see cref="InvalidOperationException"/>, so that a leak is
    /// found before memory is gone. Default 1,000,000, range 1 to 2,147,483,647.
    /// </summary>
    public int MaxSubscriptions { get; set; } = 1_000_000;

    /// <summary>What a subscription gets whose call gives no options; the options delegate of a handler starts from it too.</summary>
    public SubscriptionOptions Subscription { get; } = new();

    /// <summary>Which topics keep history, and how much. The first rule that matches a topic holds. Default: none do.</summary>
    public IList<HistoryRule> History { get; } = [];

    /// <summary>Adds a rule to <see cref="History"/>.</summary>
    /// <param name="pattern">The topics it is for: a topic or a pattern with wildcards.</param>
    /// <param name="depth">The number of events kept for each topic, 1 to 1,048,576.</param>
    /// <param name="maxTopics">The number of topics kept, 1 to 1,048,576; above it the least recently used topic's history goes.</param>
    /// <param name="maxAge">The age at which an event is forgotten; null: none.</param>
    /// <param name="latestOnly">
    /// Types of events of which a topic keeps only the newest, beside the <paramref name="depth"/> others; null: none. See
    /// <see cref="HistoryRule.LatestOnly"/>.
    /// </param>
    /// <returns>These options, for chaining.</returns>
    /// <remarks>The arguments are validated with the other options, when the bus is created.</remarks>
    public EventBusOptions KeepHistory(
        string pattern, int depth = 500, int maxTopics = 200, TimeSpan? maxAge = null, IReadOnlyCollection<Type>? latestOnly = null)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        History.Add(new HistoryRule
        {
            Pattern = pattern,
            Depth = depth,
            MaxTopics = maxTopics,
            MaxAge = maxAge,
            LatestOnly = [.. latestOnly ?? []],
        });
        return this;
    }

    /// <summary>What is wrong with these options, each sentence naming the option, its value and its range.</summary>
    internal IEnumerable<string> Failures()
    {
        if (NodeName is not null && string.IsNullOrWhiteSpace(NodeName))
            yield return $"{nameof(NodeName)} is blank; leave it null for a name unique to the process.";
        if (MaxSubscriptions < 1)
            yield return $"{nameof(MaxSubscriptions)} is {MaxSubscriptions}; it must be 1 to {int.MaxValue}.";
        foreach (string failure in Subscription.Failures())
            yield return $"{nameof(Subscription)}.{failure}";
        for (int i = 0; i < History.Count; i++)
        {
            if (History[i] is null)
            {
                yield return $"{nameof(History)}[{i}] is null; a rule has at least a {nameof(HistoryRule.Pattern)}.";
                continue;
            }

            foreach (string failure in History[i].Failures())
                yield return $"{nameof(History)}[{i}].{failure}";
        }
    }

    /// <summary>Throws with everything that is wrong.</summary>
    internal void Validate(string parameterName)
    {
        string[] failures = [.. Failures()];
        if (failures.Length > 0)
            throw new ArgumentException(string.Join(" ", failures), parameterName);
    }
}
