namespace EventBus.History;

/// <summary>The topics kept under one rule, the least recently used first to go. Guarded by the history's lock.</summary>
/// <remarks>
/// Whatever changes, moves or forgets a topic goes through here, so that cuts that are being taken have it first, and the totals are
/// right. A topic that holds events has a place in the order of age, if there is an age limit.
/// </remarks>
internal sealed class RuleHistory
{
    /// <summary>About so many topics and events are looked at in one hold of the lock for what is too old: some microseconds.</summary>
    private const int ExpiredPerHold = 1024;
    private readonly HistoryBounds _bounds;
    private readonly int _maxTopics;
    private readonly PendingCuts _pending;
    private readonly Dictionary<string, TopicHistory> _byName = new(StringComparer.Ordinal);

    /// <summary>Least recently used first.</summary>
    private readonly LinkedList<TopicHistory> _byUse = new();
    private readonly AgingTopics _byAge = new();

    /// <summary>How many of the topics are the bus's own.</summary>
    private int _ownTopics;
    private volatile bool _isAging;

    public RuleHistory(HistoryRule rule, PendingCuts pending)
    {
        Pattern = TopicPattern.Parse(rule.Pattern);
        _bounds = new HistoryBounds(rule.Depth, [.. rule.LatestOnly], rule.MaxAge?.Ticks ?? 0);
        _maxTopics = rule.MaxTopics;
        _pending = pending;
    }

    public TopicPattern Pattern { get; }

    /// <summary>The age at which an event is forgotten, in ticks; 0: none.</summary>
    public long MaxAgeTicks => _bounds.MaxAgeTicks;

    /// <summary>How many topics there are.</summary>
    public int Count => _byName.Count;

    /// <summary>The same without the bus's own.</summary>
    public int Topics => _byName.Count - _ownTopics;

    /// <summary>The events of all topics but the bus's own.</summary>
    public long Events { get; private set; }

    public LinkedListNode<TopicHistory>? LeastUsed => _byUse.First;

    /// <summary>Events up to this sequence may be missing, with their topics.</summary>
    public long LostThrough { get; private set; }

    /// <summary>Whether there are events that grow too old. Read without the lock.</summary>
    public bool IsAging => _isAging;

    /// <summary>A time before which nothing was published that is held and grows too old; the greatest if nothing is.</summary>
    public long AgesSince => _byAge.Oldest?.AgesSince ?? long.MaxValue;

    public TopicHistory? Find(string topic) => _byName.TryGetValue(topic, out TopicHistory? known) ? known : null;

    /// <summary>The history of a topic, made if there is none, as the most recently used.</summary>
    public TopicHistory Use(string topic)
    {
        if (Find(topic) is { } known)
        {
            Touch(known);
            return known;
        }

        TopicHistory history = new(topic, _bounds, LostThrough) { CutNumber = _pending.LastNumber };
        if (_byName.Count == _maxTopics)
            Forget(_byUse.First!.Value.Topic);
        _byName.Add(topic, history);
        _byUse.AddLast(history.Node);
        _ownTopics += history.IsOwn ? 1 : 0;
        return history;
    }

    public void Touch(TopicHistory topic)
    {
        if (topic.Node.Next is null)
            return;
        _pending.TakeBeforeMove(topic);
        _byUse.Remove(topic.Node);
        _byUse.AddLast(topic.Node);
    }

    /// <summary>Adds an event to one of the topics. Out of memory it changes nothing.</summary>
    public void Append(TopicHistory topic, in HistoryEntry entry)
    {
        _pending.TakeBeforeChange(topic);
        if (MaxAgeTicks > 0)
        {
            _byAge.Add(topic, entry.PublishedAtTicks);
            _isAging = true;
        }

        int before = topic.Count;
        topic.Append(in entry);
        CountEvents(topic, topic.Count - before);
        Expire(topic, entry.PublishedAtTicks);
    }

    /// <summary>Counts an event that could not be added as one that was and has gone.</summary>
    public void Lose(string topic, long sequence)
    {
        if (Find(topic) is { } known)
            known.Lose(sequence);
        else
            LostThrough = sequence;
    }

    /// <summary>Forgets what is too old in one of the topics.</summary>
    public void Expire(TopicHistory topic, long nowTicks, int most = int.MaxValue)
    {
        if (topic.AgePlace < 0 || topic.AgesSince > nowTicks - MaxAgeTicks)
            return;
        _pending.TakeBeforeChange(topic);
        int before = topic.Count;
        topic.Expire(nowTicks, most);
        CountEvents(topic, topic.Count - before);
        _byAge.Update(topic);
        _isAging = _byAge.Oldest is not null;
    }

    /// <summary>Forgets some of what is too old, where there is any.</summary>
    /// <returns>Whether there is more.</returns>
    public bool ExpireSome(long nowTicks)
    {
        for (int left = ExpiredPerHold; left > 0; left--)
        {
            if (_byAge.Oldest is not { } topic || topic.AgesSince > nowTicks - MaxAgeTicks)
                return false;
            int before = topic.Count;
            Expire(topic, nowTicks, left);
            left -= before - topic.Count;
        }

        return true;
    }

    public bool Forget(string topic)
    {
        if (Find(topic) is not { } history)
            return false;
        _pending.TakeBeforeMove(history);
        _byName.Remove(topic);
        _byUse.Remove(history.Node);
        _byAge.Remove(history);
        _isAging = _byAge.Oldest is not null;
        _ownTopics -= history.IsOwn ? 1 : 0;
        CountEvents(history, -history.Count);
        LostThrough = Math.Max(LostThrough, history.LastSequence);
        return true;
    }

    public void Clear()
    {
        if (_pending.Any)
        {
            foreach (TopicHistory topic in _byUse)
                _pending.TakeBeforeMove(topic);
        }

        _byName.Clear();
        _byUse.Clear();
        _byAge.Clear();
        _isAging = false;
        (_ownTopics, Events) = (0, 0);
    }

    private void CountEvents(TopicHistory topic, int change) => Events += topic.IsOwn ? 0 : change;
}

/// <summary>What is kept of each topic under a rule.</summary>
/// <param name="Depth">How many events.</param>
/// <param name="LatestOnly">The types of which only the newest event is kept, beside them.</param>
/// <param name="MaxAgeTicks">The age at which an event is forgotten, in ticks; 0: none.</param>
internal sealed record HistoryBounds(int Depth, Type[] LatestOnly, long MaxAgeTicks);
