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
    private readonly List<(int Event, long Ordinal)> _queue = [];
    private readonly List<(int Event, long Ordinal, TimeSpan Due, ModelPublish Publish)> _waiting = [];
    private readonly SortedSet<long> _lost = [];
    private TimeSpan _now;
    private long _ordinal;
    private bool _isStalled;

    public bool IsOpen { get; private set; } = true;

    public bool IsFinished => !IsOpen && _queue.Count == 0;

    public int Count => _queue.Count;

    public long Dropped { get; private set; }

    public long Delivered { get; private set; }

    public long Discarded { get; private set; }

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
                    IsOpen = overflow != OverflowPolicy.Close;
                    break;
            }
        }

        return publish;
    }

    public (int Event, long Missed)? Peek() =>
        _queue.Count == 0 ? null : (_queue[0].Event, _lost.Count(o => o < _queue[0].Ordinal));

    public (int Event, long Missed)? Read()
    {
        if (Peek() is not { } read)
            return null;
        _lost.RemoveWhere(o => o < _queue[0].Ordinal);
        _queue.RemoveAt(0);
        Delivered++;
        _isStalled = false;
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
        Discarded += _queue.Count + _waiting.Count;
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
