using System.Collections.Concurrent;

namespace EventBus.Tests.Stress;

/// <summary>What one subscription was given, by all who read it.</summary>
internal sealed class StreamAccount(Streams streams, string who, ConcurrentQueue<string> faults)
{
    private readonly int[] _overBefore = streams.Over();
    private readonly HashSet<(int, int)> _seen = [];
    private int[] _begunAfter = [];

    /// <summary>Events that this subscription was excepted from: added before the publish.</summary>
    public ConcurrentDictionary<(int Stream, int Number), bool> Excepted { get; } = new();

    /// <summary>Whether it was there before the first publish, so that no event is lost without being told.</summary>
    public bool IsFromStart { get; init; }

    /// <summary>Whether it may be given what was published before it came.</summary>
    public bool Replays { get; init; }

    public Streams Streams => streams;

    public long Read { get; private set; }

    public long Missed { get; private set; }

    /// <summary>The subscription is live now.</summary>
    public void Joined() => _begunAfter = streams.Begun();

    public void Add(IStreamed e, long missed)
    {
        Read++;
        Missed += missed;
        if (!_seen.Add((e.Stream, e.Number)))
            Fault($"got {e} twice");
        if (Excepted.ContainsKey((e.Stream, e.Number)))
            Fault($"got {e}, which it was excepted from");
        if (e.Check != Streams.CheckOf(e.Stream, e.Number))
            Fault($"got {e}, which nobody published");
        if (missed < 0)
            Fault($"missed {missed} before {e}");
        if (!Replays && e.Number < _overBefore[e.Stream])
            Fault($"got {e}, which was published before it came");
    }

    /// <summary>How many events of wanted streams it must and may have been offered, if its end began and was over then.</summary>
    public (long Least, long Most) Offered(Func<int, bool> wants, int[] overAtEnd, int[] begunAfterEnd)
    {
        (long least, long most) = (-Excepted.Count, 0);
        for (int s = 0; s < streams.Count; s++)
        {
            if (!wants(s))
                continue;
            least += Math.Max(0, overAtEnd[s] - _begunAfter[s]);
            most += begunAfterEnd[s] - _overBefore[s];
        }

        return (least, most);
    }

    public void Fault(string what) => faults.Enqueue($"{who} {what}");
}

/// <summary>What one reader of a subscription sees, in its order.</summary>
internal sealed class StreamSight
{
    private const int Nothing = -1;
    private readonly StreamAccount _account;
    private readonly int[] _last;
    private long _lastSequence;
    private long _gaps;

    /// <summary>Begins to look.</summary>
    /// <param name="account">The subscription's.</param>
    /// <param name="isAlone">Whether it sees every event, one after the other.</param>
    public StreamSight(StreamAccount account, bool isAlone)
    {
        (_account, IsAlone) = (account, isAlone);
        _last = new int[account.Streams.Count];
        Array.Fill(_last, Nothing);
    }

    public bool IsAlone { get; }

    public void See<TEvent>(in Envelope<TEvent> envelope)
        where TEvent : notnull
    {
        IStreamed e = (IStreamed)envelope.Event;
        lock (_account)
        {
            _account.Add(e, envelope.Missed);
            int last = _last[e.Stream];
            if (e.Number <= last)
                _account.Fault($"got {e} after {last}");
            _last[e.Stream] = e.Number;
            if (envelope.Topic != Streams.TopicOf(e.Stream) || Streams.KeepsHistory(envelope.Topic) != envelope.Sequence > 0)
                _account.Fault($"got {envelope}");
            if (IsAlone)
                LookForGaps(e, last, envelope.Sequence);
        }
    }

    /// <summary>What is missing between two events of a stream was told by the second at the latest; numbers of history grow.</summary>
    private void LookForGaps(IStreamed e, int last, long sequence)
    {
        if (last != Nothing || _account.IsFromStart)
        {
            for (int number = last + 1; number < e.Number; number++)
            {
                if (_account.Excepted.IsEmpty || !_account.Excepted.ContainsKey((e.Stream, number)))
                    _gaps++;
            }
        }

        if (_gaps > _account.Missed)
            _account.Fault($"was told of {_account.Missed} missed when it got {e}, and had not got {_gaps}");
        if (sequence == 0)
            return;
        if (sequence <= _lastSequence)
            _account.Fault($"got {e} with sequence {sequence} after {_lastSequence}");
        _lastSequence = sequence;
    }
}
