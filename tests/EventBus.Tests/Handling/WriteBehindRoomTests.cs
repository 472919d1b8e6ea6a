namespace EventBus.Tests.Handling;

public sealed class WriteBehindRoomTests
{
    [Fact]
    public async Task Publish_FullBuffer_IsRefused()
    {
        await using WriteBehindFixture fixture = new(o => o.Capacity = 2);
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a", "b");
        await fixture.Store.NextCallAsync();

        fixture.WriteBehind.Publish("run:1", "c").Should().BeFalse("the batch being stored takes up room until it is stored");
        gate.SetResult();
        await fixture.WriteBehind.FlushAsync().Soon();

        fixture.Publish("d");
        await fixture.WriteBehind.FlushAsync().Soon();
        fixture.Listener.ReadEvents().Should().Equal("a", "b", "d");
    }

    [Fact]
    public async Task PublishAsync_Room_EndsAtOnce()
    {
        await using WriteBehindFixture fixture = new(o => o.Capacity = 2);

        fixture.WriteBehind.PublishAsync("run:1", "a").AsTask().IsCompletedSuccessfully.Should().BeTrue();

        fixture.WriteBehind.Count.Should().Be(1);
    }

    [Fact]
    public async Task PublishAsync_FullBuffer_WaitsForRoomFirstComeFirstServed()
    {
        await using WriteBehindFixture fixture = new(o => (o.Capacity, o.MaxBatchSize) = (2, 1));
        SemaphoreSlim gate = new(0);
        fixture.Store.OnAppend = (_, token) => new ValueTask(gate.WaitAsync(token));
        fixture.Publish("a", "b");
        Task[] waiting = [.. ((string[])["c", "d", "e"]).Select(e => fixture.WriteBehind.PublishAsync("run:1", e).AsTask())];
        waiting.Should().OnlyContain(w => !w.IsCompleted);

        gate.Release();
        await waiting[0].Soon();
        waiting[1].IsCompleted.Should().BeFalse("one was stored, so there is room for one");
        gate.Release(10);
        await Task.WhenAll(waiting).Soon();
        await fixture.WriteBehind.FlushAsync().Soon();

        fixture.Listener.ReadEvents().Should().Equal("a", "b", "c", "d", "e");
        fixture.Store.Stored.Select(b => b.Id).Should().BeInAscendingOrder();
    }

    [Fact]
    public async Task Publish_SomeoneWaits_IsRefusedToEveryoneElse()
    {
        await using WriteBehindFixture fixture = new(o => o.Capacity = 1);
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");
        Task waiting = fixture.WriteBehind.PublishAsync("run:1", "b").AsTask();

        fixture.WriteBehind.Publish("run:1", "c").Should().BeFalse();

        gate.SetResult();
        await waiting.Soon();
    }

    [Fact]
    public async Task PublishAsync_Cancelled_IsNotPublishedAndLetsTheNextOneIn()
    {
        await using WriteBehindFixture fixture = new(o => o.Capacity = 1);
        TaskCompletionSource gate = fixture.Store.HoldUp();
        using CancellationTokenSource source = new();
        fixture.Publish("a");
        Task cancelled = fixture.WriteBehind.PublishAsync("run:1", "b", source.Token).AsTask();
        Task next = fixture.WriteBehind.PublishAsync("run:1", "c").AsTask();

        await source.CancelAsync();

        (await cancelled.Awaiting(c => c.Soon()).Should().ThrowAsync<OperationCanceledException>())
            .Which.CancellationToken.Should().Be(source.Token);
        gate.SetResult();
        await next.Soon();
        await fixture.WriteBehind.FlushAsync().Soon();
        fixture.Store.Events.Should().Equal("a", "c");
    }

    [Fact]
    public async Task PublishAsync_CancelledBeforehand_IsNotPublished()
    {
        await using WriteBehindFixture fixture = new();

        fixture.WriteBehind.PublishAsync("run:1", "a", new CancellationToken(true)).AsTask().IsCanceled.Should().BeTrue();

        fixture.WriteBehind.Count.Should().Be(0);
    }

    [Fact]
    public async Task PublishAsync_CancelledAfterItEnded_IsPublished()
    {
        await using WriteBehindFixture fixture = new(o => o.Capacity = 1);
        TaskCompletionSource gate = fixture.Store.HoldUp();
        using CancellationTokenSource source = new();
        fixture.Publish("a");
        Task waiting = fixture.WriteBehind.PublishAsync("run:1", "b", source.Token).AsTask();
        gate.SetResult();
        await waiting.Soon();

        await source.CancelAsync();
        await fixture.WriteBehind.FlushAsync().Soon();

        fixture.Store.Events.Should().Equal("a", "b");
    }

    [Fact]
    public async Task PublishAsync_LetInAfterAWait_IsFlushedByTheInterval()
    {
        await using WriteBehindFixture fixture = new(o => (o.Capacity, o.MaxBatchSize) = (3, 3));
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a", "b", "c");
        await fixture.Store.NextCallAsync();
        fixture.Clock.Advance(fixture.Options.FlushInterval);
        Task waiting = fixture.WriteBehind.PublishAsync("run:1", "d").AsTask();
        fixture.Clock.ScheduledTimers.Should().Be(0, "nothing is queued that is not being stored");
        gate.SetResult();
        await waiting.Soon();
        await fixture.Clock.WhenTimersAsync();

        fixture.Clock.Advance(fixture.Options.FlushInterval);

        await fixture.WriteBehind.FlushAsync().Soon();
        fixture.Store.Batches.Select(b => b.Count).Should().Equal(3, 1);
    }
}
