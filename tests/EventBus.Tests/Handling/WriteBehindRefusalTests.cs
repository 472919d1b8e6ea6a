namespace EventBus.Tests.Handling;

/// <summary>What happens to an event that the store refuses, and to those around it.</summary>
public sealed class WriteBehindRefusalTests
{
    [Fact]
    public async Task MaxAttempts_OneEventIsRefused_GivesUpThatOneAndStoresAndBroadcastsTheRestInOrder()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxAttempts = 2);
        using Subscription<BusEvent.HandlerFailed> failures = fixture.Bus.Subscribe<BusEvent.HandlerFailed>("$bus:failures");
        fixture.Store.Refuse("f");
        fixture.Publish("a", "b", "c", "d", "e", "f", "g", "h");

        await fixture.FlushAsync();

        string[] rest = ["a", "b", "c", "d", "e", "g", "h"];
        fixture.Store.Events.Should().Equal(rest);
        fixture.Listener.ReadEvents().Should().Equal(rest);
        fixture.Store.Calls.Select(c => string.Concat(c.Select(b => b.Event))).Should().Equal(
            ["abcdefgh", "abcdefgh", "abcd", "efgh", "ef", "e", "f", "f", "gh"],
            "the whole is tried twice, its parts once each and in order, and what is alone twice");
        BusEvent.HandlerFailed failure = failures.ReadEvents().Should().ContainSingle().Subject;
        failure.Should().BeEquivalentTo(new
        {
            SubscriptionId = 0,
            Name = (string?)null,
            Patterns = Array.Empty<string>(),
            Handler = typeof(RecordingStore<string>).ToString(),
            Topic = "run:1",
            EventType = typeof(string),
            EventCount = 1,
            Attempts = 6,
        });
        failure.Exception.Should().BeOfType<IOException>().Which.Message.Should().Be("f is refused.");
        fixture.Bus.GetStatistics().HandlerFailures.Should().Be(1);
        fixture.WriteBehind.Count.Should().Be(0);
        fixture.Log.Lines.Should().ContainSingle(l => l.Id == 24).Which.Message.Should().Contain("on run:1: it failed 6 times");
        fixture.Log.Lines.Where(l => l.Id == 20).Select(l => l.Message.Split(';')[0]).Should().Equal(
            "The store of String failed on a batch of 8 at attempt 1",
            "The store of String failed on a batch of 8 at attempt 2",
            "The store of String failed on a batch of 2 at attempt 4");
    }

    [Fact]
    public async Task MaxAttempts_EventThatIsAloneFromTheStart_IsTriedSoOftenAndNoMore()
    {
        await using WriteBehindFixture fixture = new(o => (o.MaxAttempts, o.MaxBatchSize) = (3, 1));
        using Subscription<BusEvent.HandlerFailed> failures = fixture.Bus.Subscribe<BusEvent.HandlerFailed>("$bus:failures");
        fixture.Store.Refuse("a");
        fixture.Publish("a", "b");

        await fixture.FlushAsync();

        fixture.Store.Calls.Select(c => c[0].Event).Should().Equal("a", "a", "a", "b");
        failures.ReadEvents().Should().ContainSingle().Which.Attempts.Should().Be(3);
        fixture.Listener.ReadEvents().Should().Equal("b");
    }

    [Fact]
    public async Task MaxAttempts_StoreIsDownAndComesBack_GivesUpOnlyWhatFailedAloneInTheMeantime()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxAttempts = 1);
        using Subscription<BusEvent.HandlerFailed> failures = fixture.Bus.Subscribe<BusEvent.HandlerFailed>("$bus:failures");

        // abcd, ab, a: and then it is up again.
        fixture.Store.FailFirst(3);
        fixture.Publish("a", "b", "c", "d");

        await fixture.FlushAsync();

        fixture.Listener.ReadEvents().Should().Equal("b", "c", "d");
        fixture.Store.Events.Should().Equal("b", "c", "d");
        failures.ReadEvents().Should().ContainSingle().Which.Attempts.Should().Be(3);
        fixture.Log.Lines.Should().ContainSingle(l => l.Id == 21);
    }

    [Fact]
    public async Task MaxAttempts_StoreIsDown_GivesUpOneAfterTheOtherWithAPauseAfterEachFailure()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxAttempts = 1);
        using Subscription<BusEvent.HandlerFailed> failures = fixture.Bus.Subscribe<BusEvent.HandlerFailed>("$bus:failures");
        fixture.Store.FailFirst(int.MaxValue);
        fixture.WriteBehind.Publish("run:1", "a");
        fixture.WriteBehind.Publish("run:2", "b");
        Task flush = fixture.WriteBehind.FlushAsync().AsTask();

        for (int call = 1; call <= 3; call++)
        {
            await fixture.Store.NextCallAsync();
            fixture.Store.Calls.Should().HaveCount(call, "the store is left alone until the clock is turned");
            await fixture.Clock.WhenTimersAsync(call == 1 ? 2 : 1);
            fixture.Clock.Advance(fixture.Options.RetryDelay);
        }

        await flush.Soon();
        failures.ReadEvents().Select(f => (f.Topic, f.Attempts)).Should().Equal(("run:1", 2), ("run:2", 2));
        fixture.Listener.Count.Should().Be(0, "nothing is broadcast that is not stored");
        fixture.WriteBehind.Count.Should().Be(0);
    }

    [Fact]
    public async Task MaxAttempts_FirstHalfIsStored_IsBroadcastBeforeTheRestIsDecided()
    {
        await using WriteBehindFixture fixture = new(o => (o.MaxAttempts, o.Capacity) = (1, 4));
        TaskCompletionSource never = new();
        fixture.Store.OnAppend = (call, _) => call switch
        {
            1 => throw new IOException("once"),
            2 => ValueTask.CompletedTask,
            _ => new ValueTask(never.Task),
        };
        fixture.Publish("a", "b", "c", "d");
        Task waiting = fixture.WriteBehind.PublishAsync("run:1", "e").AsTask();
        await fixture.Store.NextCallAsync();
        await fixture.Clock.WhenTimersAsync(2);
        fixture.Clock.Advance(fixture.Options.RetryDelay);
        await fixture.Store.NextCallAsync();
        await fixture.Store.NextCallAsync();

        fixture.Listener.ReadEvents().Should().Equal("a", "b");
        await waiting.Soon();
        fixture.WriteBehind.Count.Should().Be(3, "what is stored makes room");

        Task disposal = fixture.WriteBehind.DisposeAsync().AsTask();
        fixture.Clock.Advance(fixture.Options.DrainTimeout);
        await disposal.Soon();
        fixture.Log.Lines.Should().ContainSingle(l => l.Id == 22).Which.Message.Should()
            .StartWith("3 event(s)").And.Contain("The store was busy with 2 of them");
        never.SetResult();
    }

    [Fact]
    public async Task MaxAttempts_ListsThatTheStoreKept_DoNotChange()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxAttempts = 1);
        List<(IReadOnlyList<BufferedEvent<string>> Kept, string[] Then)> calls = [];
        fixture.Store.OnBatch = batch =>
        {
            calls.Add((batch, [.. batch.Select(b => b.Event)]));
            if (batch.Any(b => b.Event == "c"))
                throw new IOException("c is refused.");
        };
        fixture.Publish("a", "b", "c", "d");

        await fixture.FlushAsync();

        calls.Should().HaveCountGreaterThan(4).And.OnlyContain(c => c.Kept.Select(b => b.Event).SequenceEqual(c.Then));
    }

    [Fact]
    public async Task MaxAttempts_AnotherPublisher_LogsOnly()
    {
        RecordedLog log = new();
        RecordingStore<string> store = new();
        store.Refuse("a");
        await using InProcessEventBus bus = new();
        using Subscription<string> listener = bus.Subscribe<string>("#");
        await using WriteBehindPublisher<string> writeBehind = new(
            new ForwardingPublisher(bus), store, new WriteBehindOptions { MaxAttempts = 1, RetryDelay = TimeSpan.FromMilliseconds(1) }, loggerFactory: log);
        writeBehind.Publish("run:1", "a");
        writeBehind.Publish("run:1", "b");

        await writeBehind.FlushAsync().Soon();

        listener.ReadEvents().Should().Equal("b");
        log.Lines.Should().ContainSingle(l => l.Id == 24);
        bus.GetStatistics().HandlerFailures.Should().Be(0);
    }

    [Fact]
    public async Task MaxAttempts_ManyAreRefused_AreLoggedUpToALimitAndThenCounted()
    {
        await using WriteBehindFixture fixture = new(
            o => (o.MaxAttempts, o.MaxBatchSize, o.FlushInterval) = (1, 1, TimeSpan.Zero));
        using Subscription<BusEvent.HandlerFailed> failures = fixture.Bus.Subscribe<BusEvent.HandlerFailed>("$bus:failures");
        fixture.Store.FailFirst(150);
        fixture.Publish([.. Enumerable.Range(0, 150).Select(i => $"{i}")]);
        for (int call = 1; call <= 150; call++)
        {
            await fixture.Store.NextCallAsync();

            // The delay; and once some are not logged, the end of the interval in which they are counted.
            await fixture.Clock.WhenTimersAsync(call <= 100 ? 1 : 2);
            fixture.Clock.Advance(fixture.Options.RetryDelay);
        }

        await fixture.WriteBehind.FlushAsync().Soon();
        fixture.Clock.Advance(TimeSpan.FromMinutes(1));
        while (fixture.Log.Lines.All(l => l.Id != 25))
            await fixture.Log.NextAsync();

        failures.ReadEvents().Should().HaveCount(150, "each is told");
        fixture.Log.Lines.Count(l => l.Id == 24).Should().Be(100);
        fixture.Log.Lines.Should().ContainSingle(l => l.Id == 25).Which.Message.Should().Contain("refused 50 events more");
    }

    private sealed class ForwardingPublisher(IEventPublisher inner) : IEventPublisher
    {
        public PublishResult Publish<TEvent>(string topic, TEvent @event, Subscription? except = null)
            where TEvent : notnull => inner.Publish(topic, @event, except);

        public ValueTask<PublishResult> PublishAsync<TEvent>(
            string topic, TEvent @event, Subscription? except = null, CancellationToken cancellationToken = default)
            where TEvent : notnull => inner.PublishAsync(topic, @event, except, cancellationToken);
    }
}
