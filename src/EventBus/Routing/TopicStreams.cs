using EventBus.Delivery;
using EventBus.History;

namespace EventBus.Routing;

/// <summary>The beginning and the end of streams: joining with history, completing, forgetting.</summary>
/// <remarks>No state of its own. What must be one step with the history's order is done under its gate.</remarks>
internal sealed class TopicStreams
{
    private readonly TopicRegistry _registry;
    private readonly HistoryStore _history;
    private readonly EventClock _clock;

    public TopicStreams(TopicRegistry registry, HistoryStore history, EventClock clock)
    {
        _registry = registry;
        _history = history;
        _clock = clock;
    }

    /// <summary>Lets a channel in, with the history it asked for.</summary>
    public void Join<TEvent>(SubscriberChannel<TEvent> channel, Replay replay)
        where TEvent : notnull
    {
        string? onlyTopic = channel.Profile.OnlyTopic;
        int rule = onlyTopic is null ? -1 : _history.RuleOf(onlyTopic);
        if (replay.Kind == ReplayKind.None && rule < 0)
        {
            _registry.Join(channel);
            return;
        }

        // Under the gate: an event is either in the replay or comes live, and a topic either has ended or is yet to end.
        // The clock is asked before: it may be the user's.
        PendingCut? cut = null;
        bool isCompleted;
        long now = _clock.UtcTicks;
        if (replay.Kind != ReplayKind.None)
            channel.AwaitReplay();
        try
        {
            lock (_history.Gate)
            {
                isCompleted = rule >= 0 && _history.IsCompleted(rule, onlyTopic!);
                if (isCompleted)
                    _registry.JoinEnded(channel);
                else
                    _registry.Join(channel);
                if (replay.Kind != ReplayKind.None)
                    cut = _history.BeginCut(replay, channel.Profile.Patterns, isUse: true, now);
            }

            // Nobody can read before the subscription is handed out, so the replay is worked out without a lock.
            if (cut?.Finish() is { } plan)
            {
                channel.Attach(new HistoryCursor<TEvent>(plan));
                channel.ReplayTruncated = plan.IsTruncated;
            }
        }
        finally
        {
            cut?.Dispose();
        }

        if (isCompleted)
            channel.End(ChannelEnd.Completed);
    }

    public bool Complete(string topic)
    {
        TopicRules.ThrowIfNotPublishable(topic);
        if (_registry.IsClosed)
            return false;
        int rule = _history.RuleOf(topic);
        long now = _clock.UtcTicks;
        List<SubscriberChannel> ending;
        if (rule < 0)
        {
            ending = EndingWith(topic);
        }
        else
        {
            lock (_history.Gate)
            {
                ending = EndingWith(topic);
                if (!_history.TryComplete(rule, topic, ending.Count > 0, now))
                    return false;
            }
        }

        bool ended = rule >= 0;
        foreach (SubscriberChannel channel in ending)
            ended |= channel.End(ChannelEnd.Completed);
        return ended;
    }

    public bool Forget(string topic)
    {
        TopicRules.ThrowIfNotPublishable(topic);
        int rule = _history.RuleOf(topic);
        if (rule < 0)
            return false;
        lock (_history.Gate)
            return _history.Forget(rule, topic);
    }

    public IReadOnlyList<Envelope<TEvent>> GetHistory<TEvent>(TopicPattern pattern)
        where TEvent : notnull
    {
        long now = _clock.UtcTicks;
        PendingCut cut;
        lock (_history.Gate)
            cut = _history.BeginCut(Replay.All, [pattern], isUse: false, now);
        using PendingCut begun = cut;
        HistoryCursor<TEvent> cursor = new(begun.Finish());
        Envelope<TEvent>[] history = new Envelope<TEvent>[cursor.Remaining];
        for (int i = 0; i < history.Length; i++)
        {
            cursor.Read(out Slot<TEvent> slot);
            history[i] = slot.ToEnvelope(missed: 0);
        }

        return history;
    }

    /// <summary>The channels that end with a topic.</summary>
    private List<SubscriberChannel> EndingWith(string topic)
    {
        List<SubscriberChannel> ending = [];
        foreach (SubscriberGroup group in _registry.GetRoute(topic).Groups)
        {
            if (group.Profile.OnlyTopic is not null)
                group.CopyTo(ending, ended: false);
        }

        return ending;
    }
}
