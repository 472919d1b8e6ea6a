using static EventBus.Tests.History.HistoryCalls;

namespace EventBus.Tests.History;

public sealed class ReplayTests : IDisposable
{
    private readonly InProcessEventBus _bus = new(new EventBusOptions().KeepHistory("run:#", depth: 10));

    public void Dispose() => _bus.Dispose();

    [Fact]
    public void Subscribe_EachReplay_GetsWhatItAsksForThenLiveEvents()
    {
        _bus.PublishNumbers("run:1", 1, 5);
        long third = _bus.GetHistory<int>("run:1")[2].Sequence;
        using Subscription<int> none = _bus.SubscribeWith("run:1", Replay.None);
        using Subscription<int> all = _bus.SubscribeWith("run:1", Replay.All);
        using Subscription<int> lastTwo = _bus.SubscribeWith("run:1", Replay.Last(2));
        using Subscription<int> lastZero = _bus.SubscribeWith("run:1", Replay.Last(0));
        using Subscription<int> lastMany = _bus.SubscribeWith("run:1", Replay.Last(int.MaxValue));
        using Subscription<int> after = _bus.SubscribeWith("run:1", Replay.After(third));

        _bus.Publish("run:1", 6).Should().Be(new PublishResult(6, 0));

        none.ReadEvents().Should().Equal(6);
        all.ReadEvents().Should().Equal(1, 2, 3, 4, 5, 6);
        lastTwo.ReadEvents().Should().Equal(4, 5, 6);
        lastZero.ReadEvents().Should().Equal(6);
        lastMany.ReadEvents().Should().Equal(1, 2, 3, 4, 5, 6);
        after.ReadEvents().Should().Equal(4, 5, 6);
    }

    [Fact]
    public void Replayed_Envelopes_AreAsTheyWereLive()
    {
        using Subscription<int> live = _bus.Subscribe<int>("run:*");
        _bus.Publish("run:1", 1);
        _bus.Publish("run:2", 2);
        using Subscription<int> late = _bus.SubscribeWith("run:*", Replay.All);

        List<Envelope<int>> replayed = late.ReadQueued();

        replayed.Should().Equal(live.ReadQueued());
        replayed.Should().OnlyContain(e => e.Sequence > 0 && e.Missed == 0 && e.Node == null);
        _bus.GetHistory<int>("run:1").Should().Equal(replayed[0]);
    }

    [Fact]
    public void TopicsWithoutARule_HaveNoSequenceAndNothingToReplay()
    {
        using Subscription<int> live = _bus.Subscribe<int>("other");
        _bus.Publish("other", 1);
        using Subscription<int> late = _bus.SubscribeWith("other", Replay.All);

        live.ReadQueued().Should().ContainSingle().Which.Sequence.Should().Be(0);
        late.Count.Should().Be(0);
        _bus.GetHistory<int>("other").Should().BeEmpty();
    }

    [Fact]
    public void Subscribe_PatternOverSeveralTopics_IsReplayedMergedBySequence()
    {
        string[] topics = ["run:1", "run:2", "run:1:sub", "run", "run:2", "run:3", "run:1"];
        for (int i = 0; i < topics.Length; i++)
            _bus.Publish(topics[i], i);
        using Subscription<int> all = _bus.SubscribeWith("run:#", Replay.All);
        using Subscription<int> direct = _bus.SubscribeWith("run:*", Replay.All);
        using Subscription<int> lastThree = _bus.SubscribeWith("run:#", Replay.Last(3));
        using Subscription<int> two = _bus.Subscribe<int>(["run:2", "run", "run:2:#"], new() { Replay = Replay.All });
        using Subscription<int> everything = _bus.SubscribeWith("#", Replay.All);

        all.ReadQueued().Select(e => (e.Topic, e.Event)).Should().Equal(topics.Select((t, i) => (t, i)));
        direct.ReadEvents().Should().Equal(0, 1, 4, 5, 6);
        lastThree.ReadEvents().Should().Equal(4, 5, 6);
        two.ReadEvents().Should().Equal(1, 3, 4);
        everything.ReadQueued().Select(e => e.Sequence).Should().BeInAscendingOrder().And.HaveCount(7);
    }

    [Fact]
    public void GetHistory_TopicOrPattern_IsMergedBySequenceAndOfTheTypeAskedFor()
    {
        _bus.Publish<RunEvent>("run:1", new RunEvent.Line(1));
        _bus.Publish<RunEvent>("run:2", new RunEvent.Note(2));
        _bus.Publish<RunEvent>("run:1", new RunEvent.Line(3));

        _bus.GetHistory<RunEvent>("run:1").Select(e => e.Event.Number).Should().Equal(1, 3);
        _bus.GetHistory<RunEvent>("run:*").Select(e => e.Event.Number).Should().Equal(1, 2, 3);
        _bus.GetHistory<RunEvent.Note>("run:#").Select(e => e.Event.Number).Should().Equal(2);
        _bus.GetHistory<string>("run:#").Should().BeEmpty();
        FluentActions.Invoking(() => _bus.GetHistory<int>("a::b")).Should().Throw<ArgumentException>().WithMessage("*\"a::b\"*empty*");
    }

    [Fact]
    public void Last_CountsEventsOfTheSubscriptionsType()
    {
        for (int i = 1; i <= 9; i++)
            _bus.Publish<RunEvent>($"run:{i % 2}", i % 3 == 0 ? new RunEvent.Note(i) : new RunEvent.Line(i));
        using Subscription<RunEvent.Note> notes = _bus.Subscribe<RunEvent.Note>("run:*", new() { Replay = Replay.Last(2) });
        using Subscription<RunEvent> all = _bus.Subscribe<RunEvent>("run:*", new() { Replay = Replay.Last(2) });
        using Subscription<int> other = _bus.SubscribeWith("run:*", Replay.Last(2));

        notes.Count.Should().Be(2);
        notes.ReadEvents().Select(e => e.Number).Should().Equal(6, 9);
        all.ReadEvents().Select(e => e.Number).Should().Equal(8, 9);
        other.Count.Should().Be(0);
    }

    [Theory]
    [InlineData(OverflowPolicy.Wait)]
    [InlineData(OverflowPolicy.DropOldest)]
    [InlineData(OverflowPolicy.DropNewest)]
    [InlineData(OverflowPolicy.DropWrite)]
    [InlineData(OverflowPolicy.Close)]
    public void Replay_LongerThanTheChannel_IsNeitherBoundedNorEvictedByLiveEvents(OverflowPolicy overflow)
    {
        _bus.PublishNumbers("run:1", 1, 10);
        using Subscription<int> late = _bus.Subscribe<int>("run:1", new() { Replay = Replay.All, Capacity = 1, Overflow = overflow });
        late.Count.Should().Be(10);

        _bus.Publish("run:1", 11).Should().Be(new PublishResult(1, 0), "replay takes up no room");
        _bus.Publish("run:1", 12).Should().Be(new PublishResult(1, 1));

        int[] read = new int[11];
        for (int i = 0; i < read.Length; i++)
        {
            late.Reader.TryRead(out Envelope<int> envelope).Should().BeTrue();
            read[i] = envelope.Event;
        }

        read[..10].Should().Equal(Numbers(1, 10));
        read[10].Should().Be(overflow is OverflowPolicy.DropOldest or OverflowPolicy.DropNewest ? 12 : 11);
        late.Dropped.Should().Be(1);
    }

    [Fact]
    public async Task PublishAsync_ToASubscriberWhoseReplayIsUnread_DoesNotWaitWhileTheChannelHasRoom()
    {
        _bus.PublishNumbers("run:1", 1, 10);
        using Subscription<int> late = _bus.Subscribe<int>(
            "run:1", new() { Replay = Replay.All, Capacity = 2, WaitTimeout = TimeSpan.FromHours(1) });

        (await _bus.PublishAsync("run:1", 11).Soon()).Should().Be(new PublishResult(1, 0));
        (await _bus.PublishAsync("run:1", 12).Soon()).Should().Be(new PublishResult(1, 0));
        ValueTask<PublishResult> waiting = _bus.PublishAsync("run:1", 13);
        waiting.IsCompleted.Should().BeFalse();
        using Subscription<int> other = _bus.SubscribeWith("run:1", Replay.Last(1));

        late.ReadEvents().Should().Equal(Numbers(1, 13));
        (await waiting.Soon()).Should().Be(new PublishResult(1, 0));
        other.ReadEvents().Should().Equal(13);
    }

    [Fact]
    public void Subscribe_IsRegisteredWhenItReturnsNotAtItsFirstRead()
    {
        _bus.Publish("run:1", 1);
        using Subscription<int> late = _bus.SubscribeWith("run:1", Replay.All);
        IAsyncEnumerable<Envelope<int>> unread = late;

        _bus.Publish("run:1", 2).Matched.Should().Be(1);
        _bus.PublishNumbers("run:1", 3, 20);

        unread.Should().BeSameAs(late);
        late.ReadEvents().Should().Equal(Numbers(1, 20));
    }

    [Fact]
    public void Peek_OnReplay_ShowsTheNextWithoutTakingIt()
    {
        _bus.PublishNumbers("run:1", 1, 2);
        using Subscription<int> late = _bus.SubscribeWith("run:1", Replay.All);

        late.Reader.TryPeek(out Envelope<int> first).Should().BeTrue();
        first.Event.Should().Be(1);
        late.Reader.Count.Should().Be(2);
        late.ReadEvents().Should().Equal(1, 2);
    }

    [Fact]
    public async Task Handle_WithReplay_HandlesHistoryThenLive()
    {
        _bus.PublishNumbers("run:1", 1, 3);
        List<int> handled = [];
        TaskCompletionSource four = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using HandlerSubscription handler = _bus.Handle<int>(
            "run:1",
            (envelope, _) =>
            {
                handled.Add(envelope.Event);
                if (envelope.Event == 4)
                    four.SetResult();
                return default;
            },
            new() { Replay = Replay.All });

        _bus.Publish("run:1", 4);

        await four.Task.Soon();
        handled.Should().Equal(1, 2, 3, 4);
    }

    [Fact]
    public void OwnTopics_AreNotKeptByARuleForEverything()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("#"));
        using Subscription<BusEvent> own = bus.Subscribe<BusEvent>("$bus:#");
        using Subscription<int> slow = bus.Subscribe<int>("a", new() { Capacity = 1 });
        bus.PublishNumbers("a", 1, 3);

        own.ReadQueued().Should().ContainSingle().Which.Sequence.Should().Be(0);
        bus.GetHistory<object>("$bus:lagging").Should().BeEmpty();
        bus.GetStatistics().HistoryTopics.Should().Be(1);
    }

    [Fact]
    public void OwnTopics_KeptByARuleOfTheirOwn_AreReplayedButLeftOutOfStatistics()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("$bus:#"));
        using Subscription<int> slow = bus.Subscribe<int>("a", new() { Capacity = 1 });
        bus.PublishNumbers("a", 1, 3);
        using Subscription<BusEvent> late = bus.Subscribe<BusEvent>("$bus:#", new() { Replay = Replay.All });

        late.ReadQueued().Should().ContainSingle();

        bus.GetStatistics().Should().BeEquivalentTo(new { HistoryTopics = 0, HistoryEvents = 0L, Published = 3L, Delivered = 0L });
    }
}
