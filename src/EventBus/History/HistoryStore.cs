using EventBus.Delivery;

namespace EventBus.History;

/// <summary>
/// The memory of topics under a history rule, and the numbers that order all events on them.
/// </summary>
/// <remarks>
/// <see cref="Gate"/> guards everything. It is the one lock that makes the total order: a publish holds it while it takes its number,
/// is recorded and is handed to every channel; a new subscription while it takes its replay and joins. So every event is either in
/// the replay or handed over live, and every channel gets its numbers growing. It is the outermost lock: registry and
/// channels are locked inside it, never the other way round.
/// </remarks>
internal sealed class HistoryStore
{
    private readonly RuleHistory[] _rules;
    private readonly long _firstSequence;
    private long _lastSequence;

    public HistoryStore(IEnumerable<HistoryRule> rules, long startMicroseconds)
    {
        _rules = [.. rules.Select(r => new RuleHistory(r))];

        // 0 stands for no sequence.
        _firstSequence = Math.Max(1, startMicroseconds);
        _lastSequence = _firstSequence - 1;
    }

    public Lock Gate { get; } = new();

    /// <summary>The index of the first rule that matches a topic; below 0 if none does. Needs no lock: rules do not change.</summary>
    public int RuleOf(string topic) => Array.FindIndex(_rules, r => r.Pattern.Matches(topic));

    /// <summary>Records an event and gives it its number. Under <see cref="Gate"/>.</summary>
    /// <returns>False if the topic has been completed.</returns>
    public bool TryAppend(int rule, object @event, EventOrigin origin, long nowTicks, out long sequence)
    {
        TopicHistory topic = _rules[rule].Use(origin.Topic);
        if (topic.IsCompleted)
        {
            sequence = 0;
            return false;
        }

        sequence = ++_lastSequence;
        topic.Append(new HistoryEntry(@event, origin, sequence, nowTicks));
        _rules[rule].Expire(topic, nowTicks);
        return true;
    }

    /// <summary>Whether a topic's stream has ended. Under <see cref="Gate"/>.</summary>
    public bool IsCompleted(int rule, string topic) => _rules[rule].Find(topic) is { IsCompleted: true };

    /// <summary>Remembers that a topic's stream has ended. Under <see cref="Gate"/>.</summary>
    /// <param name="rule">The topic's rule.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="hasSubscribers">Whether there is someone to end, so that a topic without events takes a slot, too.</param>
    /// <param name="nowTicks">The time; what is too old by then does not count as events.</param>
    /// <returns>False if there is nothing to end, or it has ended.</returns>
    public bool TryComplete(int rule, string topic, bool hasSubscribers, long nowTicks)
    {
        RuleHistory history = _rules[rule];
        TopicHistory? known = history.Find(topic);
        if (known is { IsCompleted: true })
            return false;
        if (known is not null)
            history.Expire(known, nowTicks);
        if (!hasSubscribers && known is not { Count: > 0 })
            return false;
        history.Use(topic).IsCompleted = true;
        return true;
    }

    /// <summary>Drops what is known of a topic. Under <see cref="Gate"/>.</summary>
    public bool Forget(int rule, string topic) => _rules[rule].Forget(topic);

    /// <summary>What the histories of a pattern's topics hold, without using them. Under <see cref="Gate"/>.</summary>
    public ReplayPlan Look(TopicPattern pattern, long nowTicks)
    {
        List<HistoryCut> cuts = [];
        foreach ((RuleHistory rule, TopicHistory topic) in Matching([pattern]))
        {
            rule.Expire(topic, nowTicks);
            if (topic.Count > 0)
                cuts.Add(topic.Cut());
        }

        return new ReplayPlan(cuts, Replay.All, IsTruncated: false);
    }

    /// <summary>What a new subscription is handed, as cuts of all topics it listens to. Under <see cref="Gate"/>.</summary>
    public ReplayPlan Plan(Replay replay, TopicPattern[] patterns, long nowTicks)
    {
        bool isIssued = replay.Value >= _firstSequence && replay.Value <= _lastSequence;
        bool truncated = replay.Kind == ReplayKind.After && !isIssued;
        List<HistoryCut> cuts = [];
        foreach ((RuleHistory rule, TopicHistory topic) in Matching(patterns))
        {
            rule.Touch(topic);
            rule.Expire(topic, nowTicks);
            truncated |= replay.Kind == ReplayKind.After && replay.Value < topic.LostThrough;
            if (topic.Count > 0 && (!isIssued || replay.Kind != ReplayKind.After || topic.LastSequence > replay.Value))
                cuts.Add(topic.Cut());
        }

        if (replay.Kind == ReplayKind.After)
        {
            foreach (TopicPattern pattern in patterns)
            {
                // A topic that is kept knows what it lost; one that is gone may have been any the pattern matches.
                if (!pattern.IsExact)
                    truncated |= Array.Exists(_rules, r => replay.Value < r.LostThrough && pattern.Overlaps(r.Pattern));
                else if (RuleOf(pattern.ToString()) is >= 0 and int index && _rules[index].Find(pattern.ToString()) is null)
                    truncated |= replay.Value < _rules[index].LostThrough;
            }
        }

        // A position this bus did not issue replays all there is.
        Replay effective = replay.Kind == ReplayKind.After && !isIssued ? Replay.All : replay;
        return new ReplayPlan(cuts, effective, truncated);
    }

    /// <summary>How much is held, without the bus's own topics. Under <see cref="Gate"/>.</summary>
    public (int Topics, long Events) Measure(long nowTicks)
    {
        (int topics, long events) = (0, 0);
        foreach (RuleHistory rule in _rules)
        {
            foreach (TopicHistory topic in rule.Topics)
            {
                rule.Expire(topic, nowTicks);
                if (TopicRules.IsOwn(topic.Topic))
                    continue;
                topics++;
                events += topic.Count;
            }
        }

        return (topics, events);
    }

    /// <summary>Drops everything.</summary>
    public void Clear()
    {
        lock (Gate)
            Array.ForEach(_rules, r => r.Clear());
    }

    private List<(RuleHistory Rule, TopicHistory Topic)> Matching(TopicPattern[] patterns)
    {
        List<(RuleHistory, TopicHistory)> matching = [];
        if (Array.TrueForAll(patterns, p => p.IsExact))
        {
            foreach (TopicPattern pattern in patterns)
            {
                if (RuleOf(pattern.ToString()) is >= 0 and int index && _rules[index].Find(pattern.ToString()) is { } topic)
                    matching.Add((_rules[index], topic));
            }

            return matching;
        }

        foreach (RuleHistory rule in _rules)
        {
            foreach (TopicHistory topic in rule.Topics)
            {
                if (Array.Exists(patterns, p => p.Matches(topic.Topic)))
                    matching.Add((rule, topic));
            }
        }

        return matching;
    }
}

/// <summary>What a subscription is handed of history, before it is worked out without a lock.</summary>
internal readonly record struct ReplayPlan(List<HistoryCut> Cuts, Replay Replay, bool IsTruncated);
