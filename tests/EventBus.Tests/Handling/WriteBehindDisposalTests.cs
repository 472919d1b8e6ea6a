namespace EventBus.Tests.Handling;

public sealed class WriteBehindDisposalTests
{
    [Fact]
    public async Task DisposeAsync_SomethingBuffered_StoresAndBroadcastsIt()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxBatchSize = 2);
        fixture.Publish("a", "b", "c");

        await fixture.WriteBehind.DisposeAsync().Soon();

        fixture.Store.Events.Should().Equal("a", "b", "c");
        fixture.Listener.ReadEvents().Should().Equal("a", "b", "c");
        fixture.Clock.ScheduledTimers.Should().Be(0);
        fixture.Log.Lines.Should().BeEmpty();
    }

    [Fact]
    public async Task DisposeAsync_Twice_IsOneDisposal()
    {
        await using WriteBehindFixture fixture = new();
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        Task first = fixture.WriteBehind.DisposeAsync().AsTask();
        Task second = fixture.WriteBehind.DisposeAsync().AsTask();
        second.IsCompleted.Should().BeFalse();

        gate.SetResult();

        await Task.WhenAll(first, second).Soon();
        fixture.Store.Events.Should().Equal("a");
    }

    [Fact]
    public async Task Publish_AfterDisposal_IsRefused()
    {
        await using WriteBehindFixture fixture = new();
        await fixture.WriteBehind.DisposeAsync();

        fixture.WriteBehind.Publish("run:1", "a").Should().BeFalse();
        await fixture.Awaiting(f => f.WriteBehind.PublishAsync("run:1", "a").AsTask()).Should().ThrowAsync<ObjectDisposedException>();
        await fixture.WriteBehind.FlushAsync().Soon();

        fixture.Store.Calls.Should().BeEmpty();
    }

    [Fact]
    public async Task DisposeAsync_PublisherThatWaitsForRoom_IsTurnedAway()
    {
        await using WriteBehindFixture fixture = new(o => o.Capacity = 1);
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        Task waiting = fixture.WriteBehind.PublishAsync("run:1", "b").AsTask();

        Task disposal = fixture.WriteBehind.DisposeAsync().AsTask();
        await waiting.Awaiting(w => w.Soon()).Should().ThrowAsync<ObjectDisposedException>();
        gate.SetResult();
        await disposal.Soon();

        fixture.Store.Events.Should().Equal("a");
    }

    [Fact]
    public async Task DisposeAsync_DuringARetryDelay_TriesAgainAtOnce()
    {
        await using WriteBehindFixture fixture = new(o => o.RetryDelay = TimeSpan.FromHours(1));
        fixture.Store.FailFirst(1);
        fixture.Publish("a");
        fixture.Clock.Advance(fixture.Options.FlushInterval);
        fixture.Store.Calls.Should().HaveCount(1);

        await fixture.WriteBehind.DisposeAsync().Soon();

        fixture.Listener.ReadEvents().Should().Equal("a");
    }

    [Fact]
    public async Task DisposeAsync_StoreIsUpAgainWithinTheDrainTimeout_LosesNothing()
    {
        await using WriteBehindFixture fixture = new(o => (o.RetryDelay, o.DrainTimeout) = (TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(10)));
        fixture.Store.FailFirst(1);
        fixture.Publish("a");
        Task disposal = fixture.WriteBehind.DisposeAsync().AsTask();
        await fixture.Store.NextCallAsync();

        // The interval's timer, the time for draining and the delay of the retry; unless disposal came in time to cut that short.
        await Task.WhenAny(disposal, fixture.Clock.WhenTimersAsync(3)).Soon();
        fixture.Clock.Advance(TimeSpan.FromSeconds(8));

        await disposal.Soon();
        fixture.Listener.ReadEvents().Should().Equal("a");
    }

    [Fact]
    public async Task DisposeAsync_StoreStaysDown_GivesUpAfterTheDrainTimeoutAndSaysWhatIsLost()
    {
        await using WriteBehindFixture fixture = new(o => (o.MaxBatchSize, o.DrainTimeout) = (2, TimeSpan.FromSeconds(10)));
        fixture.Store.FailFirst(int.MaxValue);
        fixture.Publish("a", "b", "c");
        Task flush = fixture.WriteBehind.FlushAsync().AsTask();
        Task disposal = fixture.WriteBehind.DisposeAsync().AsTask();
        await fixture.Store.NextCallAsync();

        fixture.Clock.Advance(fixture.Options.DrainTimeout - TimeSpan.FromTicks(1));
        disposal.IsCompleted.Should().BeFalse();
        fixture.Clock.Advance(TimeSpan.FromTicks(1));

        await disposal.Soon();
        fixture.Listener.Count.Should().Be(0);
        fixture.WriteBehind.Count.Should().Be(0);
        fixture.Log.Lines.Should().ContainSingle(l => l.Id == 22).Which.Message.Should().Be(
            "3 event(s) of String were not stored within the drain time-out of 00:00:10 and are lost; none of them was broadcast. " +
            "The store was busy with 2 of them, and may have stored those.");
        (await flush.Awaiting(f => f.Soon()).Should().ThrowAsync<ObjectDisposedException>()).WithMessage("*3 event(s)*");
        await fixture.Awaiting(f => f.WriteBehind.FlushAsync().AsTask()).Should().ThrowAsync<ObjectDisposedException>();
    }

    [Fact]
    public async Task DisposeAsync_StoreNeverReturns_CancelsItsTokenAndDoesNotWaitForIt()
    {
        await using WriteBehindFixture fixture = new();
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        Task disposal = fixture.WriteBehind.DisposeAsync().AsTask();
        CancellationToken token = await fixture.Store.NextCallAsync();
        TaskCompletionSource cancelled = new();
        token.Register(cancelled.SetResult);

        fixture.Clock.Advance(fixture.Options.DrainTimeout);
        await disposal.Soon();
        await cancelled.Task.Soon();
        gate.SetResult();

        fixture.Listener.Count.Should().Be(0, "what was reported as lost is not broadcast after all");
    }

    [Fact]
    public async Task DisposeAsync_NoTimeForDraining_LosesWhatIsBuffered()
    {
        await using WriteBehindFixture fixture = new(o => o.DrainTimeout = TimeSpan.Zero);
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");

        await fixture.WriteBehind.DisposeAsync().Soon();

        fixture.Log.Lines.Should().ContainSingle(l => l.Id == 22);
        gate.SetResult();
    }

    [Fact]
    public async Task Dispose_StoreIsBusy_DoesNotWaitAndStoresTheRestInTheBackground()
    {
        await using WriteBehindFixture fixture = new();
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");

        fixture.WriteBehind.Dispose();
        fixture.WriteBehind.Publish("run:1", "b").Should().BeFalse();
        gate.SetResult();

        (await fixture.Listener.NextAsync()).Should().Be("a");
    }

    [Fact]
    public async Task DisposeAsync_OfTheBusBefore_StoresAllTheSame()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Publish("a");
        await fixture.Bus.DisposeAsync();

        await fixture.WriteBehind.DisposeAsync().Soon();

        fixture.Store.Events.Should().Equal("a");
    }

    [Fact]
    public async Task DisposeAsync_WhileSomeoneWaitsForIdle_EndsTheWaiting()
    {
        await using WriteBehindFixture fixture = new(o => o.DrainTimeout = TimeSpan.Zero);
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        Task idle = fixture.Bus.Activity.WhenIdleAsync(CancellationToken.None);

        await fixture.WriteBehind.DisposeAsync().Soon();

        await idle.Soon();
        gate.SetResult();
    }

    [Fact]
    public async Task HostFlush_StoreIsDown_UsesUpTheTimeForDrainingOnce()
    {
        await using WriteBehindFixture fixture = new(o => o.DrainTimeout = TimeSpan.FromSeconds(10));
        fixture.Store.FailFirst(int.MaxValue);
        fixture.Publish("a");
        Task flush = fixture.Bus.Activity.FlushAsync(CancellationToken.None);
        await fixture.Store.NextCallAsync();
        fixture.Clock.Advance(TimeSpan.FromSeconds(10));
        await flush.Soon();
        fixture.Publish("b");

        await fixture.WriteBehind.DisposeAsync().Soon();

        fixture.Log.Lines.Should().ContainSingle(l => l.Id == 22).Which.Message.Should().StartWith("2 event(s)");
    }

    [Fact]
    public async Task HostFlush_Cancelled_LeavesTheRestOfTheTimeToDisposal()
    {
        await using WriteBehindFixture fixture = new(o => o.DrainTimeout = TimeSpan.FromSeconds(10));
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        using CancellationTokenSource host = new();
        Task flush = fixture.Bus.Activity.FlushAsync(host.Token);
        await fixture.Store.NextCallAsync();
        fixture.Clock.Advance(TimeSpan.FromSeconds(4));
        await host.CancelAsync();
        await flush.Soon();

        Task disposal = fixture.WriteBehind.DisposeAsync().AsTask();
        fixture.Clock.Advance(TimeSpan.FromSeconds(5));
        disposal.IsCompleted.Should().BeFalse();
        gate.SetResult();
        await disposal.Soon();

        fixture.Store.Events.Should().Equal("a");
    }
}
