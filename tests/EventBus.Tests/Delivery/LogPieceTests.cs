using EventBus.Delivery;

namespace EventBus.Tests.Delivery;

/// <summary>
/// Members join a log, read, fall behind, are spared, end and leave at every slot of its pieces of 4, 8 and 16: each piece knows at every
/// moment how many still have to pass it, and when nobody has anything to read there, nothing is there.
/// </summary>
public sealed class LogPieceTests : IDisposable
{
    /// <summary>As many events as the first three pieces have slots, and some.</summary>
    private const int Slots = 4 + 8 + 16 + 2;
    private readonly InProcessEventBus _bus = new();

    /// <summary>All there ever were, and those that are still subscribed.</summary>
    private readonly List<Subscription<object>> _all = [];
    private readonly List<Subscription<object>> _open = [];

    /// <summary>What is held back, and by whom.</summary>
    private readonly List<(SubscriberChannel<object> Channel, Taken<object> Taken)> _held = [];
    private readonly List<Task<PublishResult>> _waiting = [];
    private long _matched;

    /// <summary>What becomes of a member that has read some of what it got.</summary>
    private enum Step
    {
        ReadOn,
        Leave,
        End,
        Spare,
        WaitToRead,
        Hold,
        Finish,
        GiveBack,
        WaitToPublish,
    }

    public static TheoryData<OverflowPolicy, int> Members { get; } = new()
    {
        { OverflowPolicy.Wait, 100 },
        { OverflowPolicy.Wait, 1 },
        { OverflowPolicy.DropOldest, 1 },
        { OverflowPolicy.DropOldest, 3 },
        { OverflowPolicy.DropOldest, 7 },
        { OverflowPolicy.DropNewest, 1 },
        { OverflowPolicy.DropNewest, 3 },
        { OverflowPolicy.DropNewest, 7 },
        { OverflowPolicy.DropWrite, 3 },
        { OverflowPolicy.Close, 3 },
    };

    public void Dispose() => _bus.Dispose();

    /// <remarks>Beside one that reads nothing before the end, so that no piece begins anew, and one that reads everything at once.</remarks>
    [Theory]
    [MemberData(nameof(Members))]
    public void AMember_JoinsReadsAndGoesAtEverySlot_PiecesCountWhoHasToPass(OverflowPolicy overflow, int capacity)
    {
        foreach (Step step in Enum.GetValues<Step>())
        {
            for (int before = 0; before < Slots; before++)
            {
                for (int read = 0; before + read < Slots; read++)
                    Run(step, before, read, Slots - before - read);
            }
        }

        void Run(Step step, int before, int read, int after)
        {
            Subscription<object> last = Subscribe(OverflowPolicy.Wait, 1000);
            Subscription<object> prompt = Subscribe(OverflowPolicy.Wait, 1000);
            PublishAndRead(before, prompt);
            Subscription<object> member = Subscribe(overflow, capacity);
            PublishAndRead(read, prompt, member);
            PublishAndRead(after / 2, prompt);
            Do(step, member);
            PublishAndRead(after - (after / 2), prompt);
            Read(last, 3);
            Read(member, 2);
            Read(last, 1000);
            Read(member, 1000);
            member.Dispose();
            Check();
            PublishAndRead(1, last, prompt);
            last.Dispose();
            Check();
            PublishAndRead(2, prompt);
            prompt.Dispose();
            Check();
            _bus.GetSubscriptions().Should().BeEmpty();
            _all.Clear();
            _open.Clear();
        }
    }

    [Fact]
    public async Task Members_AnySteps_PiecesCountWhoHasToPass()
    {
        for (int seed = 1; seed <= 200; seed++)
        {
            Random random = new(seed);
            try
            {
                for (int step = 0; step < 150; step++)
                    Any(random);
                foreach (Subscription<object> subscription in _all.ToArray())
                {
                    subscription.Dispose();
                    Check();
                }
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"With seed {seed}: {exception.Message}", exception);
            }

            _all.Clear();
            _open.Clear();
            _held.Clear();
        }

        PublishResult[] waited = await Task.WhenAll(_waiting).Soon();
        _matched += waited.Sum(r => (long)r.Matched);
        EventBusStatistics statistics = _bus.GetStatistics();
        (statistics.Delivered + statistics.Dropped + statistics.Discarded + statistics.Queued).Should().Be(_matched);
    }

    private void Any(Random random)
    {
        int kind = random.Next(12);
        if (_open.Count == 0 || (kind == 0 && _open.Count < 6))
        {
            Subscribe((OverflowPolicy)random.Next(5), random.Next(4) == 0 ? 1000 : random.Next(1, 12));
            return;
        }

        Subscription<object> subscription = _all[random.Next(_all.Count)];
        switch (kind)
        {
            case <= 4:
                Publish(random.Next(1, random.Next(1, 10)));
                break;
            case <= 8:
                Read(subscription, random.Next(1, 8));
                break;
            default:
                Do((Step)random.Next(Enum.GetValues<Step>().Length), subscription);
                break;
        }
    }

    private Subscription<object> Subscribe(OverflowPolicy overflow, int capacity)
    {
        Subscription<object> subscription = _bus.Subscribe<object>(
            "t", new() { Capacity = capacity, Overflow = overflow, WaitTimeout = TimeSpan.FromHours(1) });
        _all.Add(subscription);
        _open.Add(subscription);
        Check();
        return subscription;
    }

    private void Do(Step step, Subscription<object> member)
    {
        switch (step)
        {
            case Step.ReadOn:
                Read(member, 1000);
                break;
            case Step.Leave:
                member.Dispose();
                break;
            case Step.End:
                member.Channel.End(ChannelEnd.Completed);
                break;
            case Step.Spare:
                Publish(1, except: member);
                break;
            case Step.WaitToRead:
                // Two that wait take a member out of its log; nobody waits for them.
                _ = member.Reader.WaitToReadAsync().AsTask();
                Check();
                _ = member.Reader.WaitToReadAsync().AsTask();
                break;
            case Step.Hold:
                if (((SubscriberChannel<object>)member.Channel).TryTake(hold: true, out Taken<object> taken))
                    _held.Add(((SubscriberChannel<object>)member.Channel, taken));
                break;
            case Step.Finish or Step.GiveBack when _held.Count > 0:
                (SubscriberChannel<object> channel, Taken<object> held) = _held[^1];
                _held.RemoveAt(_held.Count - 1);
                if (step == Step.Finish || channel.TryPeek(out _))
                    channel.Release(held);
                else
                    channel.GiveBack(held);
                break;
            case Step.WaitToPublish:
                _waiting.Add(_bus.PublishAsync("t", new object()).AsTask());
                break;
        }

        Check();
    }

    private void PublishAndRead(int count, params Subscription<object>[] readers)
    {
        for (int i = 0; i < count; i++)
        {
            Publish(1);
            Array.ForEach(readers, r => Read(r, 1));
        }
    }

    private void Publish(int count, Subscription<object>? except = null)
    {
        for (int i = 0; i < count; i++)
        {
            _matched += _bus.Publish("t", new object(), except).Matched;
            Check();
        }
    }

    private void Read(Subscription<object> subscription, int atMost)
    {
        for (int i = 0; i < atMost && subscription.Reader.TryRead(out _); i++)
            Check();
        Check();
    }

    private void Check()
    {
        _open.RemoveAll(s => !s.Channel.IsOpen);
        LogPieces.Check(_all);
    }
}
