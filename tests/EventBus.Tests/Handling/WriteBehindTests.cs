using EventBus.Testing;

namespace EventBus.Tests.Handling;

public sealed class WriteBehindTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    [Fact]
    public async Task Publish_UntilTheIntervalIsOver_NeitherStoresNorBroadcasts()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Publish("a", "b");

        fixture.Clock.Advance(Interval - TimeSpan.FromTicks(1));

        fixture.Store.Calls.Should().BeEmpty();
        fixture.Listener.Count.Should().Be(0);
        fixture.WriteBehind.Count.Should().Be(2);
    }

    [Fact]
    public async Task Publish_AfterTheInterval_IsOneBatchThatIsStoredAndBroadcastInOrder()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Publish("a", "b");
        fixture.WriteBehind.Publish("run:2", "c");

        fixture.Clock.Advance(Interval);

        fixture.Store.Batches.Should().ContainSingle().Which.Select(b => (b.Topic, b.Event))
            .Should().Equal(("run:1", "a"), ("run:1", "b"), ("run:2", "c"));
        fixture.Listener.ReadQueued().Select(e => (e.Topic, e.Event)).Should().Equal(("run:1", "a"), ("run:1", "b"), ("run:2", "c"));
        fixture.WriteBehind.Count.Should().Be(0);
    }

    [Fact]
    public async Task Publish_WhileTheStoreIsBusy_IsNotBroadcastBeforeItIsStored()
    {
        await using WriteBehindFixture fixture = new();
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        fixture.Clock.Advance(Interval);
        await fixture.Store.NextCallAsync();
        fixture.Listener.Count.Should().Be(0);

        gate.SetResult();

        (await fixture.Listener.NextAsync()).Should().Be("a");
    }

    [Fact]
    public async Task Publish_EventsOfSeveralIntervals_WaitOneIntervalEach()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Publish("a");
        fixture.Clock.Advance(Interval);
        fixture.Clock.Advance(Interval * 5);
        fixture.Publish("b");
        fixture.Clock.Advance(Interval - TimeSpan.FromTicks(1));
        fixture.Store.Events.Should().Equal("a");

        fixture.Clock.Advance(TimeSpan.FromTicks(1));

        fixture.Store.Events.Should().Equal("a", "b");
    }

    [Fact]
    public async Task Publish_WhileTheStoreIsBusy_WaitsNoLongerThanAnInterval()
    {
        await using WriteBehindFixture fixture = new();
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        fixture.Clock.Advance(Interval);
        await fixture.Store.NextCallAsync();
        fixture.Publish("b");
        fixture.Clock.Advance(Interval);
        fixture.Publish("c");

        gate.SetResult();
        await fixture.Store.NextCallAsync();
        (await fixture.Listener.NextAsync()).Should().Be("a");
        (await fixture.Listener.NextAsync()).Should().Be("b");

        fixture.Store.Batches.Select(b => string.Concat(b.Select(e => e.Event))).Should().Equal(["a", "bc"], "c came before the batch was made");
    }

    [Fact]
    public async Task Publish_FullBatch_IsFlushedBeforeTheInterval()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxBatchSize = 3);
        fixture.Publish("a", "b");
        fixture.Store.Calls.Should().BeEmpty();

        fixture.Publish("c");

        await fixture.Store.NextCallAsync();
        (await fixture.Listener.NextAsync()).Should().Be("a");
        fixture.Store.Batches.Should().ContainSingle().Which.Should().HaveCount(3);
    }

    [Fact]
    public async Task Publish_RestOfAFullBatch_IsFlushedByTheInterval()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxBatchSize = 2);
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a", "b");
        await fixture.Store.NextCallAsync();
        fixture.Publish("c", "d", "e");
        gate.SetResult();
        await fixture.Store.NextCallAsync();
        foreach (string expected in (string[])["a", "b", "c", "d"])
            (await fixture.Listener.NextAsync()).Should().Be(expected);
        fixture.Store.Calls.Should().HaveCount(2, "e alone is no full batch");

        fixture.Clock.Advance(Interval);

        (await fixture.Listener.NextAsync()).Should().Be("e");
        fixture.Store.Batches.Select(b => b.Count).Should().Equal(2, 2, 1);
    }

    [Fact]
    public async Task Publish_BatchGreaterThanTheBuffer_IsFlushedWhenTheBufferIsFull()
    {
        await using WriteBehindFixture fixture = new(o => (o.Capacity, o.MaxBatchSize) = (2, 1000));
        fixture.Publish("a", "b");

        await fixture.Store.NextCallAsync();

        fixture.Store.Calls[0].Should().HaveCount(2);
    }

    [Fact]
    public async Task Publish_MoreThanABatchInAnInterval_DrainsBatchAfterBatchInOrder()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxBatchSize = 3);
        TaskCompletionSource gate = fixture.Store.HoldUp();
        string[] events = [.. Enumerable.Range(0, 10).Select(i => $"{i}")];
        fixture.Publish(events);
        await fixture.Store.NextCallAsync();
        fixture.Clock.Advance(Interval);

        gate.SetResult();
        await fixture.WriteBehind.FlushAsync().Soon();

        fixture.Store.Batches.Select(b => b.Count).Should().Equal(3, 3, 3, 1);
        fixture.Store.Events.Should().Equal(events);
        fixture.Listener.ReadEvents().Should().Equal(events);
        fixture.Store.HasOverlapped.Should().BeFalse();
    }

    [Fact]
    public async Task Publish_IntervalOfZero_CallsTheStoreAtOnce()
    {
        await using WriteBehindFixture fixture = new(o => o.FlushInterval = TimeSpan.Zero);
        fixture.Publish("a");

        (await fixture.Listener.NextAsync()).Should().Be("a");
        fixture.Clock.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public async Task Publish_NothingBuffered_KeepsNoTimer()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Clock.ScheduledTimers.Should().Be(0);
        fixture.Publish("a", "b");
        fixture.Clock.ScheduledTimers.Should().Be(1);

        fixture.Clock.Advance(Interval);

        fixture.Clock.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public async Task Publish_Ids_GrowFromTheStartTimeAndAreNotUsedAgainByAnother()
    {
        await using WriteBehindFixture first = new();
        await using WriteBehindFixture second = new();
        first.Publish("a");
        second.Publish("b");
        first.Publish("c");
        await first.WriteBehind.FlushAsync().Soon();
        await second.WriteBehind.FlushAsync().Soon();

        long[] ids = [first.Store.Stored[0].Id, second.Store.Stored[0].Id, first.Store.Stored[1].Id];

        ids.Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
        long start = (first.Clock.Start - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        ids[0].Should().BeGreaterThan(start);
    }

    [Fact]
    public async Task Publish_CreatedAt_IsTheTimeOfPublishing()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Clock.Advance(TimeSpan.FromHours(1));
        fixture.Publish("a");

        fixture.Clock.Advance(Interval);

        fixture.Store.Stored[0].CreatedAt.Should().Be(fixture.Clock.Start.AddHours(1));
    }

    [Theory]
    [InlineData("")]
    [InlineData("run:")]
    [InlineData("run:*")]
    [InlineData("$bus:failures")]
    public async Task Publish_BadTopic_ThrowsAndBuffersNothing(string topic)
    {
        await using WriteBehindFixture fixture = new();

        fixture.Invoking(f => f.WriteBehind.Publish(topic, "a")).Should().Throw<ArgumentException>().WithMessage($"*\"{topic}\"*");
        await fixture.Awaiting(f => f.WriteBehind.PublishAsync(topic, "a").AsTask()).Should().ThrowAsync<ArgumentException>();

        fixture.WriteBehind.Count.Should().Be(0);
    }

    [Fact]
    public async Task Publish_NoTopicOrNoEvent_Throws()
    {
        await using WriteBehindFixture fixture = new();

        fixture.Invoking(f => f.WriteBehind.Publish(null!, "a")).Should().Throw<ArgumentNullException>().WithParameterName("topic");
        fixture.Invoking(f => f.WriteBehind.Publish("run:1", null!)).Should().Throw<ArgumentNullException>().WithParameterName("event");
    }

    [Fact]
    public async Task Publish_FullSubscriber_DoesNotHoldUpTheStore()
    {
        await using WriteBehindFixture fixture = new();
        using Subscription<string> slow = fixture.Bus.Subscribe<string>("run:1", new SubscriptionOptions { Capacity = 1 });
        fixture.Publish("a", "b", "c");

        fixture.Clock.Advance(Interval);

        fixture.Store.Events.Should().Equal("a", "b", "c");
        slow.Dropped.Should().Be(2);
    }

    [Fact]
    public async Task WhenIdle_SomethingIsBuffered_WaitsUntilItIsHandled()
    {
        await using WriteBehindFixture fixture = new();
        List<string> handled = [];
        fixture.Bus.Handle<string>("run:1", (envelope, _) =>
        {
            handled.Add(envelope.Event);
            return ValueTask.CompletedTask;
        });
        fixture.Publish("a");
        Task idle = fixture.Bus.Activity.WhenIdleAsync(CancellationToken.None);
        idle.IsCompleted.Should().BeFalse();
        fixture.Bus.Activity.DescribeBusy().Should().Contain("write-behind of String: 1 buffered");

        fixture.Clock.Advance(Interval);

        await idle.Soon();
        handled.Should().Equal("a");
    }

    [Fact]
    public async Task Publish_PublisherThatThrows_IsLoggedOnceForABatchAndTheRestIsBroadcast()
    {
        FakeTimeProvider clock = new();
        RecordedLog log = new();
        RecordingStore<string> store = new();
        FaultyPublisher publisher = new();
        await using WriteBehindPublisher<string> writeBehind = new(publisher, store, timeProvider: clock, loggerFactory: log);
        foreach (string @event in (string[])["bad", "good", "bad", "better"])
            writeBehind.Publish("run:1", @event);

        clock.Advance(Interval);

        store.Events.Should().Equal("bad", "good", "bad", "better");
        publisher.Published.Should().Equal("good", "better");
        log.Lines.Should().ContainSingle().Which.Message.Should().StartWith("2 event(s) of String were stored, but");
    }

    private sealed class FaultyPublisher : IEventPublisher
    {
        public List<object> Published { get; } = [];

        public PublishResult Publish<TEvent>(string topic, TEvent @event, Subscription? except = null)
            where TEvent : notnull
        {
            if (@event is "bad")
                throw new InvalidOperationException("No.");
            Published.Add(@event);
            return new PublishResult(1, 0);
        }

        public ValueTask<PublishResult> PublishAsync<TEvent>(
            string topic, TEvent @event, Subscription? except = null, CancellationToken cancellationToken = default)
            where TEvent : notnull => new(Publish(topic, @event, except));
    }
}
