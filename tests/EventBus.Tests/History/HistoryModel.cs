using EventBus.Tests.Routing;

namespace EventBus.Tests.History;

/// <summary>What a bus with history does, said in the plainest way: lists, no sharing, no laziness, one thread.</summary>
internal sealed class HistoryModel(IReadOnlyList<HistoryRule> rules, long firstSequence)
{
    private readonly List<ModelTopic> _byUse = [];
    private readonly List<(ModelEvent Event, HistoryRule Rule)> _everything = [];
    private long _lastSequence = firstSequence - 1;
    private bool _hasSupersededAged;

    public List<ModelSubscription> Subscriptions { get; } = [];

    public int Refused { get; private set; }

    public long LastSequence => _lastSequence;

    /// <summary>Whether anything that history once had is gone, or may count as gone: what had grown too old when a newer one superseded it.</summary>
    public bool HasLost => _hasSupersededAged || _everything.Any(e => !IsKept(e.Event));

    public int Topics => _byUse.Count;

    public IEnumerable<ModelEvent> Events(string pattern) =>
        _byUse.Where(t => PlainMatcher.Matches(pattern, t.Name)).SelectMany(t => t.Events).OrderBy(e => e.Sequence);

    public PublishResult Publish(string topic, RunEvent @event, DateTimeOffset now)
    {
        Expire(now);
        long sequence = 0;
        if (RuleOf(topic) is { } rule)
        {
            ModelTopic history = Use(topic, rule);
            if (history.IsCompleted)
            {
                Refused++;
                return default;
            }

            sequence = ++_lastSequence;
            ModelEvent kept = new(topic, @event, sequence, now);
            _everything.Add((kept, rule));
            List<ModelEvent> superseded = [.. history.Add(kept)];
            _hasSupersededAged |= history.HasSupersededAged;
            foreach (ModelEvent replaced in superseded)
                _everything.RemoveAll(e => e.Event == replaced);
        }

        List<ModelSubscription> matching = Subscriptions.FindAll(s => s.IsOpen && s.Listens(topic) && s.Wants(@event));
        int dropped = matching.Count(s => !s.Offer(new ModelEvent(topic, @event, sequence, now)));
        return new PublishResult(matching.Count, dropped);
    }

    public bool Complete(string topic, DateTimeOffset now)
    {
        Expire(now);
        List<ModelSubscription> ending = Subscriptions.FindAll(s => s.IsOpen && s.Patterns is [{ } only] && only == topic);
        if (RuleOf(topic) is { } rule)
        {
            ModelTopic? known = Find(topic);
            if (known is { IsCompleted: true } || (ending.Count == 0 && known is not { Events.Count: > 0 }))
                return false;
            Use(topic, rule).IsCompleted = true;
            ending.ForEach(s => s.IsOpen = false);
            return true;
        }

        ending.ForEach(s => s.IsOpen = false);
        return ending.Count > 0;
    }

    public bool Forget(string topic) => _byUse.RemoveAll(t => t.Name == topic) > 0;

    /// <returns>The subscription, and whether something that it asked for is certainly missing.</returns>
    public (ModelSubscription Subscription, bool Lacks) Subscribe(
        string[] patterns, bool linesOnly, ReplayKind kind, long value, int capacity, DateTimeOffset now)
    {
        Expire(now);
        ModelSubscription subscription = new(patterns, linesOnly, capacity);
        bool isIssued = value >= firstSequence && value <= _lastSequence;
        bool lacks = kind == ReplayKind.After
            && (!isIssued || _everything.Any(e => e.Event.Sequence > value && subscription.Listens(e.Event.Topic) && !IsKept(e.Event)));
        if (kind != ReplayKind.None)
        {
            IEnumerable<ModelEvent> replay = _byUse.Where(t => subscription.Listens(t.Name)).SelectMany(t => t.Events)
                .Where(e => subscription.Wants(e.Event) && (kind != ReplayKind.After || !isIssued || e.Sequence > value))
                .OrderBy(e => e.Sequence);
            subscription.Replay.AddRange(kind == ReplayKind.Last ? replay.TakeLast((int)value) : replay);
            foreach (ModelTopic used in OrderOfUse(patterns))
                MoveToEnd(used);
        }

        if (patterns is [{ } only] && Find(only) is { IsCompleted: true })
            subscription.IsOpen = false;
        Subscriptions.Add(subscription);
        return (subscription, lacks);
    }

    public void Expire(DateTimeOffset now)
    {
        foreach (ModelTopic topic in _byUse)
        {
            if (topic.Rule.MaxAge is { } age)
                topic.Forget(e => now - e.PublishedAt >= age);
        }
    }

    /// <summary>Exact topics are used in the order they are named, all others in the order they were used before.</summary>
    private ModelTopic[] OrderOfUse(string[] patterns) => patterns.All(p => TopicPattern.Parse(p).IsExact)
        ? [.. patterns.Select(Find).OfType<ModelTopic>()]
        : [.. _byUse.Where(t => patterns.Any(p => PlainMatcher.Matches(p, t.Name)))];

    private bool IsKept(ModelEvent @event) => Find(@event.Topic)?.Events.Contains(@event) == true;

    private HistoryRule? RuleOf(string topic) => rules.FirstOrDefault(r => PlainMatcher.Matches(r.Pattern, topic));

    private ModelTopic? Find(string topic) => _byUse.Find(t => t.Name == topic);

    private ModelTopic Use(string topic, HistoryRule rule)
    {
        if (Find(topic) is { } known)
        {
            MoveToEnd(known);
            return known;
        }

        if (_byUse.Count(t => t.Rule == rule) == rule.MaxTopics)
            _byUse.Remove(_byUse.First(t => t.Rule == rule));
        ModelTopic added = new(topic, rule);
        _byUse.Add(added);
        return added;
    }

    private void MoveToEnd(ModelTopic topic)
    {
        _byUse.Remove(topic);
        _byUse.Add(topic);
    }

    private sealed class ModelTopic(string name, HistoryRule rule)
    {
        private readonly List<ModelEvent> _last = [];
        private readonly Dictionary<Type, ModelEvent> _newest = [];

        /// <summary>The newest of each type, if it has grown too old since.</summary>
        private readonly Dictionary<Type, ModelEvent> _aged = [];

        /// <summary>Whether one that had grown too old was superseded: then the bus may have found it too old before, or not.</summary>
        public bool HasSupersededAged { get; private set; }

        public string Name => name;

        public HistoryRule Rule => rule;

        /// <summary>All that is kept.</summary>
        public List<ModelEvent> Events => [.. _last.Concat(_newest.Values).Distinct().OrderBy(e => e.Sequence)];

        public bool IsCompleted { get; set; }

        /// <returns>Those that newer ones of their types replaced.</returns>
        public IEnumerable<ModelEvent> Add(ModelEvent @event)
        {
            List<ModelEvent> before = [.. _newest.Values, .. _aged.Values];
            foreach (Type type in rule.LatestOnly.Where(t => t.IsInstanceOfType(@event.Event)))
            {
                _newest[type] = @event;
                HasSupersededAged |= _aged.Remove(type);
            }

            if (!_newest.ContainsValue(@event))
                _last.Add(@event);
            if (_last.Count > rule.Depth)
                _last.RemoveAt(0);
            return before.Except(_newest.Values).Except(_aged.Values);
        }

        public void Forget(Predicate<ModelEvent> isForgotten)
        {
            _last.RemoveAll(isForgotten);
            foreach (Type type in _newest.Keys.Where(t => isForgotten(_newest[t])))
            {
                _aged[type] = _newest[type];
                _newest.Remove(type);
            }
        }
    }
}

internal sealed record ModelEvent(string Topic, RunEvent Event, long Sequence, DateTimeOffset PublishedAt, long Missed = 0);

/// <summary>A subscription that loses what comes when it is full.</summary>
internal sealed class ModelSubscription(string[] patterns, bool linesOnly, int capacity)
{
    private long _missed;

    public string[] Patterns => patterns;

    public bool IsOpen { get; set; } = true;

    public List<ModelEvent> Replay { get; } = [];

    public List<ModelEvent> Queue { get; } = [];

    public long Dropped { get; private set; }

    public bool Listens(string topic) => patterns.Any(p => PlainMatcher.Matches(p, topic));

    public bool Wants(RunEvent @event) => !linesOnly || @event is RunEvent.Line;

    public bool Offer(ModelEvent @event)
    {
        if (Queue.Count == capacity)
        {
            Dropped++;
            _missed++;
            return false;
        }

        Queue.Add(@event with { Missed = _missed });
        _missed = 0;
        return true;
    }

    public ModelEvent? Read()
    {
        List<ModelEvent> from = Replay.Count > 0 ? Replay : Queue;
        if (from.Count == 0)
            return null;
        ModelEvent next = from[0];
        from.RemoveAt(0);
        return next;
    }
}
