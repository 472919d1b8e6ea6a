namespace EventBus.History;

/// <summary>A cut of all topics that some patterns match, taken in many short holds of the history's lock instead of a long one.</summary>
/// <remarks>
/// <para>
/// It is of the moment it was begun in: nothing published later is in it, and all that history held then is, whatever has become of it since
/// (see <see cref="PendingCuts"/>). It walks each rule's topics in their order of use, looks at their names without the lock,
/// and takes those that match in the next hold; the publishers' share comes in between.
/// </para>
/// <para>
/// All fields but <see cref="_cuts"/>, which belongs to the thread that finishes the cut, are guarded by the history's lock.
/// </para>
/// </remarks>
internal sealed class PendingCut : IDisposable
{
    /// <summary>So many topics are looked at in one hold: some microseconds.</summary>
    private const int TopicsPerHold = 64;
    private readonly HistoryStore _history;
    private readonly Replay _replay;
    private readonly TopicPattern[] _patterns;
    private readonly bool _isUse;
    private readonly long _nowTicks;
    private readonly List<HistoryCut> _cuts = [];

    /// <summary>What was taken since the lock was free last.</summary>
    private List<HistoryCut> _taken = [];
    private bool _isTruncated;

    /// <summary>The topic to look at next; null: there is none in this rule.</summary>
    private LinkedListNode<TopicHistory>? _next;

    /// <summary>Begins, under the history's lock.</summary>
    /// <param name="history">The history.</param>
    /// <param name="replay">What is wanted of each topic.</param>
    /// <param name="patterns">Which topics.</param>
    /// <param name="isUse">Whether it is use of the topics, as opposed to a look at them.</param>
    /// <param name="isTruncated">Whether what is known already says that something may be missing.</param>
    /// <param name="nowTicks">The time; what is too old by then is left out.</param>
    public PendingCut(HistoryStore history, Replay replay, TopicPattern[] patterns, bool isUse, bool isTruncated, long nowTicks)
    {
        _history = history;
        _replay = replay;
        _patterns = patterns;
        _isUse = isUse;
        _isTruncated = isTruncated;
        _nowTicks = nowTicks;
        IsExact = Array.TrueForAll(patterns, p => p.IsExact);
        if (IsExact)
            TakeExact();
        else
            Number = history.Pending.Add(this);
    }

    /// <summary>Its number among those that are taken in many holds.</summary>
    public long Number { get; }

    /// <summary>Whether it was taken at once, because it names its topics.</summary>
    private bool IsExact { get; }

    /// <summary>Takes what it does not have yet; without the lock.</summary>
    public ReplayPlan Finish()
    {
        if (!IsExact)
        {
            foreach (RuleHistory rule in _history.Rules)
            {
                if (Array.Exists(_patterns, p => p.Overlaps(rule.Pattern)))
                    TakeFrom(rule);
            }
        }

        // Then nobody else knows this cut any more.
        Dispose();
        _cuts.AddRange(_taken);
        return new ReplayPlan(_cuts, _replay, _isTruncated);
    }

    /// <summary>Has nobody hand anything over any more.</summary>
    public void Dispose()
    {
        if (IsExact)
            return;
        lock (_history.Gate)
            _history.Pending.Remove(this);
    }

    /// <summary>Takes a topic as it is, if it is wanted. Under the history's lock.</summary>
    public void Take(TopicHistory topic)
    {
        if (!Wants(topic))
            return;
        long after = _replay.Kind == ReplayKind.After ? _replay.Value : long.MaxValue;
        _isTruncated |= after < topic.LostThrough;
        if (after != long.MaxValue && topic.LastSequence <= after)
            return;
        try
        {
            _isTruncated |= after < topic.Cut(_taken, _nowTicks);
        }
        catch (OutOfMemoryException)
        {
            // Whoever publishes to the topic is not to blame.
            _isTruncated = true;
        }
    }

    /// <summary>Goes on behind a topic that leaves its place. Under the history's lock.</summary>
    public void StepOver(TopicHistory topic)
    {
        if (_next == topic.Node)
            _next = _next.Next;
    }

    private void TakeExact()
    {
        foreach (TopicPattern pattern in _patterns)
        {
            if (_history.Find(pattern.ToString()) is not var (rule, topic))
                continue;
            rule.Expire(topic, _nowTicks);
            if (_isUse)
                rule.Touch(topic);
            Take(topic);
        }
    }

    private void TakeFrom(RuleHistory rule)
    {
        TopicHistory[] chunk = new TopicHistory[TopicsPerHold];
        List<HistoryCut> taken = [];
        int matching = 0, left = -1;
        do
        {
            int seen = 0;
            lock (_history.Gate)
            {
                // A topic that leaves its place goes to the end, so nothing that is to be taken comes behind as many as there are now.
                if (left < 0)
                    (left, _next) = (rule.Count, rule.LeastUsed);
                for (int i = 0; i < matching; i++)
                    TakeFrom(rule, chunk[i]);
                for (int i = 0; i < chunk.Length && _next is { } node && left > 0; i++, left--)
                {
                    if (node.Value.CutNumber < Number)
                        chunk[seen++] = node.Value;
                    _next = node.Next;
                }

                if (_next is null)
                    left = 0;
                (taken, _taken) = (_taken, taken);
            }

            _cuts.AddRange(taken);
            taken.Clear();
            matching = 0;
            foreach (TopicHistory topic in chunk.AsSpan(0, seen))
            {
                if (Wants(topic))
                    chunk[matching++] = topic;
            }
        }
        while (left > 0 || matching > 0);
    }

    /// <summary>Takes a topic that was found to match, and may have been taken or forgotten since.</summary>
    private void TakeFrom(RuleHistory rule, TopicHistory topic)
    {
        // What was forgotten is in this cut; one that was begun after that must not get it.
        if (topic.Node.List is null)
            return;
        _history.Pending.TakeBeforeChange(topic);
        if (_isUse)
            rule.Touch(topic);
    }

    /// <summary>Whether a pattern matches a topic; needs no lock.</summary>
    private bool Wants(TopicHistory topic)
    {
        foreach (TopicPattern pattern in _patterns)
        {
            if (pattern.Matches(topic.Topic))
                return true;
        }

        return false;
    }
}
