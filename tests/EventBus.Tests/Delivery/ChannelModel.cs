namespace EventBus.Tests.Delivery;

/// <summary>One publish as the model sees it.</summary>
internal sealed class ModelPublish
{
    public PublishResult Result { get; set; }

    public bool IsWaiting { get; set; }

    public bool IsCancelled { get; set; }
}

/// <summary>
/// What a subscription's channel does, for one thread and without a thought for speed. Losses are kept as ordinals, so that what was
/// missed between two events is counted and not computed.
/// </summary>
internal sealed class ChannelModel(OverflowPolicy overflow, int capacity, TimeSpan waitTimeout)
{
    private readonly Queue<int> _replay = [];
    private readonly List<(int Event, long Ordinal)> _queue = [];
    private readonly List<(int Event, long Ordinal, TimeSpan Due, ModelPublish Publish)> _waiting = [];
    private readonly SortedSet<long> _lost = [];
    private TimeSpan _now;
    private long _ordinal;
    private bool _isStalled;

    public bool IsOpen { get; private set; } = true;

    public bool IsFinished => !IsOpen && Count == 0;

    /// <summary>Whether it ended because it was full.</summary>
    public bool HasOverflowed { get; private set; }

    public int Count => _replay.Count + _queue.Count;

    /// <summary>What takes up room: all but the replay.</summary>
    public int Queued => _queue.Count;

    public long Dropped { get; private set; }

    public long Delivered { get; private set; }

    public long Discarded { get; private set; }

    /// <summary>History, read before all else and bounded by nothing.</summary>
    public void Attach(IEnumerable<int> replay)
    {
        foreach (int e in replay)
            _replay.Enqueue(e);
    }

    /// <summary>Whether a publish waits for room here.</summary>
    public bool Waits(ModelPublish publish) => _waiting.Exists(w => w.Publish == publish);

    public ModelPublish Offer(int e, bool mayWait)
    {
        ModelPublish publish = new();
        if (!IsOpen)
            return publish;
        publish.Result = new PublishResult(1, 0);
        long ordinal = ++_ordinal;
        if (_queue.Count < capacity && _waiting.Count == 0)
        {
            _queue.Add((e, ordinal));
        }
        else if (overflow == OverflowPolicy.Wait && mayWait && !_isStalled && waitTimeout > TimeSpan.Zero)
        {
            publish.IsWaiting = true;
            _waiting.Add((e, ordinal, _now + waitTimeout, publish));
        }
        else
        {
            switch (overflow)
            {
                case OverflowPolicy.DropOldest:
                    Lose(_queue[0].Ordinal, publish);
                    _queue.RemoveAt(0);
                    _queue.Add((e, ordinal));
                    break;
                case OverflowPolicy.DropNewest:
                    Lose(_queue[^1].Ordinal, publish);
                    _queue.RemoveAt(_queue.Count - 1);
                    _queue.Add((e, ordinal));
                    break;
                default:
                    Lose(ordinal, publish);
                    HasOverflowed = overflow == OverflowPolicy.Close;
                    IsOpen = !HasOverflowed;
                    break;
            }
        }

        return publish;
    }

    public (int Event, long Missed)? Peek()
    {
        if (_replay.TryPeek(out int replayed))
            return (replayed, 0);
        return _queue.Count == 0 ? null : (_queue[0].Event, _lost.TakeWhile(o => o < _queue[0].Ordinal).Count());
    }

    public (int Event, long Missed)? Read()
    {
        if (Peek() is not { } read)
            return null;
        Delivered++;
        _isStalled = false;

        // Reading replay makes no room.
        if (_replay.TryDequeue(out _))
            return read;
        while (_lost.Count > 0 && _lost.Min < _queue[0].Ordinal)
            _lost.Remove(_lost.Min);
        _queue.RemoveAt(0);
        if (_waiting.Count > 0)
        {
            (int e, long ordinal, _, ModelPublish publish) = _waiting[0];
            _waiting.RemoveAt(0);
            _queue.Add((e, ordinal));
            publish.IsWaiting = false;
        }

        return read;
    }

    public void TurnClock(TimeSpan delta)
    {
        _now += delta;
        while (_waiting.Count > 0 && _waiting[0].Due <= _now)
        {
            GiveUp(_waiting[0].Publish);
            _isStalled = true;
        }
    }

    public void Cancel(ModelPublish publish)
    {
        GiveUp(publish);
        publish.IsCancelled = true;
    }

    public void Complete()
    {
        IsOpen = false;
        while (_waiting.Count > 0)
            GiveUp(_waiting[0].Publish);
    }

    public void Leave()
    {
        IsOpen = false;
        Discarded += Count + _waiting.Count;
        _replay.Clear();
        _queue.Clear();
        _waiting.ForEach(w => w.Publish.IsWaiting = false);
        _waiting.Clear();
    }

    private void GiveUp(ModelPublish publish)
    {
        int at = _waiting.FindIndex(w => w.Publish == publish);
        Lose(_waiting[at].Ordinal, publish);
        _waiting.RemoveAt(at);
        publish.IsWaiting = false;
    }

    private void Lose(long ordinal, ModelPublish publish)
    {
        _lost.Add(ordinal).Should().BeTrue("nothing is lost twice");
        Dropped++;
        publish.Result = publish.Result with { Dropped = publish.Result.Dropped + 1 };
    }
}
