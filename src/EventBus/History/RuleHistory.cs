namespace EventBus.History;

/// <summary>The topics kept under one rule, the least recently used first to go. Guarded by the history's lock.</summary>
internal sealed class RuleHistory
{
    private readonly int _depth;
    private readonly int _maxTopics;
    private readonly long _maxAgeTicks;
    private readonly Dictionary<string, LinkedListNode<TopicHistory>> _byName = new(StringComparer.Ordinal);

    /// <summary>Least recently used first.</summary>
    private readonly LinkedList<TopicHistory> _byUse = new();

    public RuleHistory(HistoryRule rule)
    {
        Pattern = TopicPattern.Parse(rule.Pattern);
        _depth = rule.Depth;
        _maxTopics = rule.MaxTopics;
        _maxAgeTicks = rule.MaxAge?.Ticks ?? 0;
    }

    public TopicPattern Pattern { get; }

    public IEnumerable<TopicHistory> Topics => _byUse;

    /// <summary>Events up to this sequence may be missing, with their topics.</summary>
    public long LostThrough { get; private set; }

    public TopicHistory? Find(string topic) => _byName.TryGetValue(topic, out LinkedListNode<TopicHistory>? node) ? node.Value : null;

    /// <summary>The history of a topic, made if there is none, as the most recently used.</summary>
    public TopicHistory Use(string topic)
    {
        if (Find(topic) is { } known)
        {
            Touch(known);
            return known;
        }

        if (_byName.Count == _maxTopics)
            Forget(_byUse.First!.Value.Topic);
        TopicHistory history = new(topic, _depth, LostThrough);
        _byName.Add(topic, _byUse.AddLast(history));
        return history;
    }

    public void Touch(TopicHistory topic)
    {
        LinkedListNode<TopicHistory> node = _byName[topic.Topic];
        if (node.Next is null)
            return;
        _byUse.Remove(node);
        _byUse.AddLast(node);
    }

    public void Expire(TopicHistory topic, long nowTicks)
    {
        if (_maxAgeTicks > 0)
            topic.Expire(nowTicks - _maxAgeTicks);
    }

    public bool Forget(string topic)
    {
        if (!_byName.Remove(topic, out LinkedListNode<TopicHistory>? node))
            return false;
        _byUse.Remove(node);
        LostThrough = Math.Max(LostThrough, node.Value.LastSequence);
        return true;
    }

    public void Clear()
    {
        _byName.Clear();
        _byUse.Clear();
    }
}
