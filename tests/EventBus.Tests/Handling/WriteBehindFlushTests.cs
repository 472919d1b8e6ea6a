namespace EventBus.Tests.Handling;

public sealed class WriteBehindFlushTests
{
    [Fact]
    public async Task FlushAsync_DoesNotWaitForTheInterval_AndReturnsWhenAllIsStoredAndBroadcast()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Publish("a", "b");

        await fixture.WriteBehind.FlushAsync().Soon();

        fixture.Store.Events.Should().Equal("a", "b");
        fixture.Listener.ReadEvents().Should().Equal("a", "b");
        fixture.WriteBehind.Count.Should().Be(0);
    }

    [Fact]
    public async Task FlushAsync_NothingBuffered_ReturnsAtOnceAndCallsNoStore()
    {
        await using WriteBehindFixture fixture = new();

        fixture.WriteBehind.FlushAsync().AsTask().IsCompletedSuccessfully.Should().BeTrue();

        fixture.Store.Calls.Should().BeEmpty();
    }

    [Fact]
    public async Task FlushAsync_BatchThatIsBeingStored_IsWaitedFor()
    {
        await using WriteBehindFixture fixture = new();
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        fixture.Clock.Advance(fixture.Options.FlushInterval);

        Task flush = fixture.WriteBehind.FlushAsync().AsTask();
        flush.IsCompleted.Should().BeFalse();
        gate.SetResult();
        await flush.Soon();

        fixture.Listener.ReadEvents().Should().Equal("a");
    }

    [Fact]
    public async Task FlushAsync_EventsPublishedAfterIt_AreNotWaitedFor()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxBatchSize = 1);
        TaskCompletionSource second = new(TaskCreationOptions.RunContinuationsAsynchronously);
        fixture.Store.OnAppend = (call, _) => call == 1 ? ValueTask.CompletedTask : new ValueTask(second.Task);
        fixture.Publish("a");
        Task flush = fixture.WriteBehind.FlushAsync().AsTask();
        fixture.Publish("b");

        await flush.Soon();

        fixture.Store.Events.Should().Equal("a");
        second.SetResult();
    }

    [Fact]
    public async Task FlushAsync_TwoAtOnce_BothReturn()
    {
        await using WriteBehindFixture fixture = new();
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        Task first = fixture.WriteBehind.FlushAsync().AsTask();
        Task second = fixture.WriteBehind.FlushAsync().AsTask();
        fixture.Publish("b");
        Task third = fixture.WriteBehind.FlushAsync().AsTask();

        gate.SetResult();

        await Task.WhenAll(first, second, third).Soon();
        fixture.Listener.ReadEvents().Should().Equal("a", "b");
    }

    [Fact]
    public async Task FlushAsync_Cancelled_StopsWaitingButNotTheFlush()
    {
        await using WriteBehindFixture fixture = new();
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        using CancellationTokenSource source = new();
        Task flush = fixture.WriteBehind.FlushAsync(source.Token).AsTask();

        await source.CancelAsync();
        await flush.Awaiting(f => f.Soon()).Should().ThrowAsync<OperationCanceledException>();
        gate.SetResult();

        (await fixture.Listener.NextAsync()).Should().Be("a");
    }

    [Fact]
    public async Task FlushAsync_CancelledBeforehand_FlushesNothing()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Publish("a");

        await fixture.Awaiting(f => f.WriteBehind.FlushAsync(new CancellationToken(true)).AsTask())
            .Should().ThrowAsync<OperationCanceledException>();

        fixture.Store.Calls.Should().BeEmpty();
    }

    [Fact]
    public async Task FlushAsync_PublisherThatWaitsForRoom_IsPartOfIt()
    {
        await using WriteBehindFixture fixture = new(o => o.Capacity = 1);
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        Task waiting = fixture.WriteBehind.PublishAsync("run:1", "b").AsTask();
        Task flush = fixture.WriteBehind.FlushAsync().AsTask();

        gate.SetResult();
        await flush.Soon();

        fixture.Listener.ReadEvents().Should().Equal("a", "b");
        await waiting.Soon();
    }

    [Fact]
    public async Task FlushAsync_PublisherThatWaitsForRoomGivesUp_DoesNotWaitForIt()
    {
        await using WriteBehindFixture fixture = new(o => (o.Capacity, o.MaxBatchSize) = (1, 1));
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        using CancellationTokenSource source = new();
        Task waiting = fixture.WriteBehind.PublishAsync("run:1", "b", source.Token).AsTask();
        Task flush = fixture.WriteBehind.FlushAsync().AsTask();
        await source.CancelAsync();
        await waiting.Awaiting(w => w.Soon()).Should().ThrowAsync<OperationCanceledException>();

        gate.SetResult();
        await flush.Soon();

        fixture.Store.Events.Should().Equal("a");
    }

    [Fact]
    public async Task FlushAsync_StoreIsDown_ReturnsWhenItIsUpAgain()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxRetryDelay = o.RetryDelay);
        fixture.Store.FailFirst(2);
        fixture.Publish("a");
        Task flush = fixture.WriteBehind.FlushAsync().AsTask();

        for (int failure = 0; failure < 2; failure++)
        {
            await fixture.Log.NextAsync();

            // The interval's timer, and the delay of the retry.
            await fixture.Clock.WhenTimersAsync(failure == 0 ? 2 : 1);
            flush.IsCompleted.Should().BeFalse();
            fixture.Clock.Advance(fixture.Options.RetryDelay);
        }

        await flush.Soon();
        fixture.Listener.ReadEvents().Should().Equal("a");
    }
}
