using EventBus.Tests.Routing;

namespace EventBus.Tests.Delivery;

/// <summary>What one publish came to in each subscription it was for.</summary>
internal sealed class GroupPublish(List<ModelPublish> parts)
{
    public bool IsWaiting => parts.Exists(p => p.IsWaiting);

    public bool IsCancelled => parts.Exists(p => p.IsCancelled);

    public PublishResult Result => new(parts.Sum(p => p.Result.Matched), parts.Sum(p => p.Result.Dropped));

    public void Cancel(IEnumerable<GroupMember> members)
    {
        foreach (ModelPublish part in parts.Where(p => p.IsWaiting))
            members.Single(m => m.Model.Waits(part)).Model.Cancel(part);
    }
}

/// <summary>What a bus does with many subscriptions, for one thread: routes, history, the ends of topics, and the counts of it all.</summary>
internal sealed class GroupModel
{
    public const int Depth = 25;
    public static readonly string[] Topics = ["a:1", "a:2", "a:2:x", "h:1", "h:2"];
    private readonly List<(string Topic, EventKind Kind)> _events = [];
    private readonly Dictionary<string, List<int>> _history = [];
    private readonly HashSet<string> _completed = [];
    private int _published;
    private int _unmatched;
    private int _refused;

    public List<GroupMember> Members { get; } = [];

    public int NextNumber => _events.Count;

    public static bool KeepsHistory(string topic) => topic.StartsWith("h:", StringComparison.Ordinal);

    public static bool Listens(GroupMember member, string topic) => Array.Exists(member.Spec.PatternList, p => PlainMatcher.Matches(p, topic));

    public string TopicOf(int number) => _events[number].Topic;

    public void Join(GroupMember member)
    {
        if (member.Spec.Replay != 0)
        {
            IEnumerable<int> all = _history.Where(h => Listens(member, h.Key)).SelectMany(h => h.Value)
                .Where(e => _events[e].Kind.IsFor(member.Spec.Type)).Order();
            member.Model.Attach(member.Spec.Replay < 0 ? all : all.TakeLast(member.Spec.Replay));
        }

        if (OnlyTopicOf(member) is { } topic && _completed.Contains(topic))
            member.Model.Complete();
        Members.Add(member);
    }

    public GroupPublish Publish(string topic, EventKind kind, GroupMember? except, bool mayWait)
    {
        int number = _events.Count;
        _events.Add((topic, kind));
        if (_completed.Contains(topic))
        {
            _refused++;
            return new GroupPublish([]);
        }

        if (KeepsHistory(topic))
        {
            if (!_history.TryGetValue(topic, out List<int>? kept))
                _history.Add(topic, kept = []);
            kept.Add(number);
            if (kept.Count > Depth)
                kept.RemoveAt(0);
        }

        List<ModelPublish> parts = Members.FindAll(m => m != except && m.Model.IsOpen && kind.IsFor(m.Spec.Type) && Listens(m, topic))
            .ConvertAll(m => m.Model.Offer(number, mayWait));
        _published++;
        if (parts.Count == 0)
            _unmatched++;
        return new GroupPublish(parts);
    }

    public bool Complete(string topic)
    {
        List<GroupMember> ending = Members.FindAll(m => m.Model.IsOpen && OnlyTopicOf(m) == topic);
        if (KeepsHistory(topic) ? _completed.Contains(topic) || (ending.Count == 0 && !_history.ContainsKey(topic)) : ending.Count == 0)
            return false;
        if (KeepsHistory(topic))
            _completed.Add(topic);
        ending.ForEach(m => m.Model.Complete());
        return true;
    }

    public bool HasSubscribers(string topic) => !_completed.Contains(topic) && Members.Exists(m => m.Model.IsOpen && Listens(m, topic));

    public IEnumerable<int> HistoryOf(string topic) => _history.GetValueOrDefault(topic) ?? [];

    public EventBusStatistics Statistics() => new()
    {
        Topics = Members.Where(m => m.Model.IsOpen).SelectMany(m => m.Spec.PatternList).Where(Topics.Contains).Distinct().Count(),
        Subscriptions = Members.Count(m => m.Model.IsOpen),
        Published = _published,
        Unmatched = _unmatched,
        RefusedAfterCompletion = _refused,
        Delivered = Members.Sum(m => m.Model.Delivered),
        Dropped = Members.Sum(m => m.Model.Dropped),
        Discarded = Members.Sum(m => m.Model.Discarded),
        Queued = Members.Sum(m => (long)m.Model.Count),
        HighestFill = Members.Select(m => (double)m.Model.Queued / m.Spec.Capacity).DefaultIfEmpty().Max(),
        HistoryTopics = _history.Keys.Union(_completed).Count(),
        HistoryEvents = _history.Values.Sum(h => h.Count),
    };

    private static string? OnlyTopicOf(GroupMember member) => member.Spec.PatternList is [var only] && Topics.Contains(only) ? only : null;
}
