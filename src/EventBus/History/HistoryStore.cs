using EventBus.Delivery;

namespace EventBus.History;

/// <summary>
/// The memory of topics under a history rule, and the numbers that order all events on them.
/// </summary>
/// <remarks>
/// <see cref="Gate"/> guards everything. It is the one lock that makes the total order: a publish holds it while it takes its number,
/// is recorded and is handed to every channel; a new subscription while it begins its replay and joins. So every event is either in
/// the replay or handed over live, and every channel gets its numbers growing. It is the outermost lock: registry and
/// channels are locked inside it, never the other way round. Nobody holds it for longer than a publish may be held up: what concerns
/// many topics is done in many short holds.
/// </remarks>
internal sealed class HistoryStore : IDisposable
{
    private readonly SequenceSource _sequences;

    /// <summary>What forgets the events of each rule that grow too old; null: none do.</summary>
    private readonly HistorySweep?[] _sweeps;

    /// <summary>Whether nothing is kept any more.</summary>
    private bool _isDisposed;

    public HistoryStore(IEnumerable<HistoryRule> rules, long startMicroseconds, TimeProvider timeProvider)
    {
        Rules = [.. rules.Select(r => new RuleHistory(r, Pending))];
        _sequences = new SequenceSource(startMicroseconds);
        _sweeps = [.. Rules.Select(r => r.MaxAgeTicks > 0 ? new HistorySweep(r, Gate, timeProvider) : null)];
    }

    public Lock Gate { get; } = new();

    public RuleHistory[] Rules { get; }

    public PendingCuts Pending { get; } = new();

    /// <summary>The index of the first rule that matches a topic; below 0 if none does. Needs no lock: rules do not change.</summary>
    public int RuleOf(string topic) => Array.FindIndex(Rules, r => r.Pattern.Matches(topic));

    /// <summary>A topic that is kept, and its rule. Under <see cref="Gate"/>.</summary>
    public (RuleHistory Rule, TopicHistory Topic)? Find(string topic) =>
        RuleOf(topic) is >= 0 and int index && Rules[index].Find(topic) is { } known ? (Rules[index], known) : null;

    /// <summary>Records an event and gives it its number. Under <see cref="Gate"/>.</summary>
    /// <returns>False if the topic has been completed.</returns>
    /// <remarks>
    /// An event for which there is no memory has its number all the same, and is one that history had and lost: it is handed over live,
    /// and a replay that should have it says that it is truncated. So has one of a publish that the end of the bus overtook; it is not kept.
    /// </remarks>
    public bool TryAppend(int rule, object @event, EventOrigin origin, long nowTicks, out long sequence)
    {
        RuleHistory history = Rules[rule];
        sequence = 0;
        if (_isDisposed)
        {
            sequence = _sequences.Next();
            return true;
        }

        try
        {
            TopicHistory topic = history.Use(origin.Topic);
            if (topic.IsCompleted)
                return false;
            sequence = _sequences.Next();
            history.Append(topic, new HistoryEntry(@event, origin, sequence, nowTicks));
        }
        catch (OutOfMemoryException)
        {
            sequence = sequence == 0 ? _sequences.Next() : sequence;
            history.Lose(origin.Topic, sequence);
        }

        return true;
    }

    /// <summary>Sees to it that what was recorded is forgotten in time. With no lock held: a timer may be the user's.</summary>
    public void WatchAge(int rule) => _sweeps[rule]?.Watch();

    /// <summary>Whether a topic's stream has ended. Under <see cref="Gate"/>.</summary>
    public bool IsCompleted(int rule, string topic) => Rules[rule].Find(topic) is { IsCompleted: true };

    /// <summary>Remembers that a topic's stream has ended. Under <see cref="Gate"/>.</summary>
    /// <param name="rule">The topic's rule.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="hasSubscribers">Whether there is someone to end, so that a topic without events takes a slot, too.</param>
    /// <param name="nowTicks">The time; what is too old by then does not count as events.</param>
    /// <returns>False if there is nothing to end, or it has ended.</returns>
    public bool TryComplete(int rule, string topic, bool hasSubscribers, long nowTicks)
    {
        RuleHistory history = Rules[rule];
        TopicHistory? known = history.Find(topic);
        if (_isDisposed || known is { IsCompleted: true })
            return false;
        if (known is not null)
            history.Expire(known, nowTicks);
        if (!hasSubscribers && known is not { Count: > 0 })
            return false;
        history.Use(topic).IsCompleted = true;
        return true;
    }

    /// <summary>Drops what is known of a topic. Under <see cref="Gate"/>.</summary>
    public bool Forget(int rule, string topic) => Rules[rule].Forget(topic);

    /// <summary>Begins a cut of all topics that some patterns match, as they are now. Under <see cref="Gate"/>.</summary>
    /// <param name="replay">What is wanted of them.</param>
    /// <param name="patterns">Which topics.</param>
    /// <param name="isUse">Whether it is use of the topics, as opposed to a look at them.</param>
    /// <param name="nowTicks">The time; what is too old by then is left out.</param>
    /// <returns>The cut, to be finished without the lock, and disposed.</returns>
    public PendingCut BeginCut(Replay replay, TopicPattern[] patterns, bool isUse, long nowTicks)
    {
        if (replay.Kind != ReplayKind.After)
            return new PendingCut(this, replay, patterns, isUse, isTruncated: false, nowTicks);

        // A position this bus did not issue replays all there is.
        return _sequences.IsIssued(replay.Value)
            ? new PendingCut(this, replay, patterns, isUse, HasForgotten(replay.Value, patterns), nowTicks)
            : new PendingCut(this, Replay.All, patterns, isUse, isTruncated: true, nowTicks);
    }

    /// <summary>How much is held, without the bus's own topics and what is too old by now. Takes the lock.</summary>
    public (int Topics, long Events) Measure(long nowTicks)
    {
        (int topics, long events) = (0, 0);
        foreach (RuleHistory rule in Rules)
        {
            bool hasMore = true;
            while (hasMore)
            {
                lock (Gate)
                {
                    hasMore = rule.ExpireSome(nowTicks);
                    topics += hasMore ? 0 : rule.Topics;
                    events += hasMore ? 0 : rule.Events;
                }
            }
        }

        return (topics, events);
    }

    /// <summary>Drops everything, and keeps nothing from now on.</summary>
    public void Dispose()
    {
        lock (Gate)
        {
            _isDisposed = true;
            Array.ForEach(Rules, r => r.Clear());
        }

        Array.ForEach(_sweeps, s => s?.Dispose());
    }

    /// <summary>Whether topics that were forgotten, as a whole, may have had events after a position.</summary>
    private bool HasForgotten(long position, TopicPattern[] patterns)
    {
        foreach (TopicPattern pattern in patterns)
        {
            // A topic that is kept knows what it lost; one that is gone may have been any the pattern matches.
            if (!pattern.IsExact)
            {
                if (Array.Exists(Rules, r => position < r.LostThrough && pattern.Overlaps(r.Pattern)))
                    return true;
            }
            else if (RuleOf(pattern.ToString()) is >= 0 and int index && Rules[index].Find(pattern.ToString()) is null
                && position < Rules[index].LostThrough)
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>What a subscription is handed of history, before it is worked out without a lock.</summary>
internal readonly record struct ReplayPlan(List<HistoryCut> Cuts, Replay Replay, bool IsTruncated);
