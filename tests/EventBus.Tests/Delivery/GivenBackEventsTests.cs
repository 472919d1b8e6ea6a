using EventBus.Delivery;

namespace EventBus.Tests.Delivery;

/// <summary>An event that its reader took out and could not hand to anyone: whoever reads next gets it first.</summary>
public sealed class GivenBackEventsTests : IDisposable
{
    private readonly InProcessEventBus _bus = new(new EventBusOptions().KeepHistory("h"));

    /// <summary>How often observers were called.</summary>
    private int _told;

    public void Dispose() => _bus.Dispose();

    [Fact]
    public async Task GiveBack_TheNextReaderGetsItFirst_WithWhatItMissed()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t", new() { Capacity = 2, Overflow = OverflowPolicy.DropOldest });
        SubscriberChannel<int> channel = (SubscriberChannel<int>)subscription.Channel;
        Publish("t", 1, 2, 3);
        channel.TryTake(hold: true, out Taken<int> taken).Should().BeTrue();
        (subscription.Count, subscription.Delivered).Should().Be((2, 0), "it is taken out, but not delivered");
        channel.GiveBack(taken);

        subscription.Count.Should().Be(2);
        subscription.Reader.TryPeek(out Envelope<int> peeked).Should().BeTrue();
        Envelope<int> read = await subscription.Reader.ReadAsync().Soon();
        (peeked, read.Event, read.Missed).Should().Be((read, 2, 1L));
        subscription.ReadEvents().Should().Equal(3);
        (subscription.Count, subscription.Delivered, subscription.Dropped).Should().Be((0, 2, 1));
    }

    [Fact]
    public async Task GiveBack_WakesWhoWaits_AndIsNotLostAtTheEnd()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t");
        SubscriberChannel<int> channel = (SubscriberChannel<int>)subscription.Channel;
        Publish("t", 1);
        channel.TryTake(hold: true, out Taken<int> taken).Should().BeTrue();
        Task<Envelope<int>> waiting = subscription.Reader.ReadAsync().AsTask();
        channel.GiveBack(taken);
        (await waiting.Soon()).Event.Should().Be(1);

        Publish("t", 2);
        channel.TryTake(hold: true, out taken).Should().BeTrue();
        _bus.Complete("t");
        subscription.Completion.IsCompleted.Should().BeFalse("one event is neither read nor discarded");
        channel.GiveBack(taken);
        subscription.ReadEvents().Should().Equal(2);
        await subscription.Completion.Soon();
    }

    [Fact]
    public void GiveBack_ToASubscriberThatLeft_IsDiscarded()
    {
        Subscription<int> subscription = _bus.Subscribe<int>("t");
        SubscriberChannel<int> channel = (SubscriberChannel<int>)subscription.Channel;
        Publish("t", 1, 2);
        channel.TryTake(hold: true, out Taken<int> taken).Should().BeTrue();
        subscription.Dispose();
        channel.GiveBack(taken);

        subscription.ReadEvents().Should().BeEmpty();
        (_bus.GetStatistics().Discarded, _bus.GetStatistics().Queued).Should().Be((2, 0));
    }

    [Fact]
    public void GiveBack_OfAReplayedEvent_KeepsItBeforeTheRest()
    {
        Publish("h", 1, 2);
        using Subscription<int> subscription = _bus.Subscribe<int>("h", new() { Capacity = 1, Replay = Replay.All });
        SubscriberChannel<int> channel = (SubscriberChannel<int>)subscription.Channel;
        channel.TryTake(hold: true, out Taken<int> taken).Should().BeTrue();
        channel.GiveBack(taken);
        channel.TryTake(hold: true, out taken).Should().BeTrue();
        channel.GiveBack(taken);
        Publish("h", 3);

        subscription.Count.Should().Be(3);
        subscription.ReadEvents().Should().Equal(1, 2, 3);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void HeldBack_AfterEverythingWasRead_TakesUpRoomInTheLogAsOnItsOwn(int others)
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t", new() { Capacity = 2, Overflow = OverflowPolicy.DropWrite });
        Subscription<int>[] beside = [.. Enumerable.Range(0, others).Select(_ => _bus.Subscribe<int>("t"))];
        SubscriberChannel<int> channel = (SubscriberChannel<int>)subscription.Channel;
        for (int round = 0; round < 10; round++)
        {
            Publish("t", 1);
            subscription.ReadEvents().Should().Equal(1);
            Array.ForEach(beside, s => s.ReadEvents().Should().Equal(1));
        }

        Publish("t", 2, 3);
        channel.TryTake(hold: true, out Taken<int> second).Should().BeTrue();
        channel.TryTake(hold: true, out Taken<int> third).Should().BeTrue();
        _bus.Publish("t", 4).Dropped.Should().Be(1, "two are held back");

        // What is offered to it alone, taken and held back, takes up room also when it has come back to the log.
        channel.Release(second).Should().BeTrue();
        _bus.Publish("t", 5).Dropped.Should().Be(0);
        channel.TryTake(hold: true, out Taken<int> fifth).Should().BeTrue();
        channel.TryTake(hold: true, out _).Should().BeFalse();
        channel.IsInLog.Should().BeTrue();
        _bus.Publish("t", 6).Dropped.Should().Be(1, "two are held back");
        channel.Release(third).Should().BeTrue();
        _bus.Publish("t", 7).Dropped.Should().Be(0);
        channel.Release(fifth).Should().BeTrue();

        subscription.Reader.TryRead(out Envelope<int> last).Should().BeTrue();
        (last.Event, last.Missed, subscription.Dropped).Should().Be((7, 1, 2));
        Array.ForEach(beside, s => s.ReadEvents().Should().Equal(2, 3, 4, 5, 6, 7));
    }

    [Fact]
    public async Task Observers_ComingAndGoingWhileEventsAreReadBesideThem_TogetherSeeEachEventOnceAndInOrder()
    {
        const int Events = 30_000;
        using Subscription<int> subscription = _bus.Subscribe<int>("t", new() { Capacity = Events });
        List<int> seen = [];
        Task publishing = Task.Run(() =>
        {
            for (int i = 0; i < Events; i++)
                _bus.Publish("t", i);
        });
        IObservable<Envelope<int>> observable = subscription.AsObservable();
        while (Volatile.Read(ref _told) < Events)
        {
            // Who leaves may be called once more: by the time the next one reads, that call has ended, as there is one pump at a time.
            int before = Volatile.Read(ref _told);
            using (observable.Subscribe(new Observer(this, seen)))
            {
                while (Volatile.Read(ref _told) == before && subscription.Count > 0)
                    await Task.Yield();
            }
        }

        await publishing.Soon();
        seen.Should().Equal(Enumerable.Range(0, Events));
        subscription.Count.Should().Be(0);
    }

    private void Publish(string topic, params int[] events)
    {
        foreach (int @event in events)
            _bus.Publish(topic, @event);
    }

    private sealed class Observer(GivenBackEventsTests test, List<int> seen) : IObserver<Envelope<int>>
    {
        public void OnNext(Envelope<int> value)
        {
            seen.Add(value.Event);
            Interlocked.Increment(ref test._told);
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }
    }
}
