namespace EventBus.Tests.Handling;

/// <summary>A host that stops is in a hurry, and so is disposal: neither waits out the delay after a failure of the store.</summary>
public sealed class WriteBehindHurryTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200);

    [Fact]
    public async Task HostFlush_DuringARetryDelay_TriesAgainAtOnce()
    {
        await using WriteBehindFixture fixture = new(o => (o.RetryDelay, o.MaxRetryDelay) = (TimeSpan.FromHours(1), TimeSpan.FromHours(1)));
        fixture.Store.FailFirst(1);
        fixture.Publish("a");
        fixture.Clock.Advance(fixture.Options.FlushInterval);
        await fixture.Clock.WhenTimersAsync();

        await fixture.Bus.Activity.FlushAsync(CancellationToken.None).Soon();

        fixture.Listener.ReadEvents().Should().Equal("a");
    }

    [Fact]
    public async Task HostFlush_StoreStaysDownForAMoment_IsTriedByShortDelays()
    {
        await using WriteBehindFixture fixture = new(o => (o.RetryDelay, o.MaxRetryDelay) = (TimeSpan.FromHours(1), TimeSpan.FromHours(1)));
        fixture.Store.FailFirst(3);
        fixture.Publish("a");
        fixture.Clock.Advance(fixture.Options.FlushInterval);
        await fixture.Store.NextCallAsync();

        Task flush = fixture.Bus.Activity.FlushAsync(CancellationToken.None);
        for (int call = 2; call <= 3; call++)
        {
            await fixture.Store.NextCallAsync();

            // The time for draining, and the delay.
            await fixture.Clock.WhenTimersAsync(2);
            fixture.Clock.Advance(Short);
        }

        await flush.Soon();
        fixture.Listener.ReadEvents().Should().Equal("a");
    }

    [Fact]
    public async Task HostFlush_CutShort_HurriesNobodyAfterwards()
    {
        await using WriteBehindFixture fixture = new(o => (o.RetryDelay, o.MaxRetryDelay) = (TimeSpan.FromHours(1), TimeSpan.FromHours(1)));
        fixture.Store.FailFirst(int.MaxValue);
        fixture.Publish("a");
        fixture.Clock.Advance(fixture.Options.FlushInterval);
        await fixture.Store.NextCallAsync();
        using CancellationTokenSource host = new();
        Task flush = fixture.Bus.Activity.FlushAsync(host.Token);
        await fixture.Store.NextCallAsync();
        await fixture.Clock.WhenTimersAsync(2);
        await host.CancelAsync();
        await flush.Soon();

        fixture.Clock.Advance(Short);
        await fixture.Store.NextCallAsync();
        await fixture.Clock.WhenTimersAsync();
        fixture.Clock.Advance(TimeSpan.FromMinutes(44));
        fixture.Clock.ScheduledTimers.Should().Be(1);
        fixture.Store.Calls.Should().HaveCount(3);

        fixture.Clock.Advance(TimeSpan.FromMinutes(16));
        await fixture.Store.NextCallAsync();
    }

    [Fact]
    public async Task HostFlush_StoreIsDown_LeavesDisposalAShareOfTheTime()
    {
        await using WriteBehindFixture fixture = new(o => o.DrainTimeout = TimeSpan.FromSeconds(10));
        fixture.Store.FailFirst(int.MaxValue);
        fixture.Publish("a");
        Task flush = fixture.Bus.Activity.FlushAsync(CancellationToken.None);
        await fixture.Store.NextCallAsync();
        fixture.Clock.Advance(TimeSpan.FromSeconds(9));
        await flush.Soon();
        fixture.Store.OnAppend = null;

        // The pause after a failure; or else the one before, at whose end the store is up.
        await Task.WhenAny(fixture.Clock.WhenTimersAsync(), fixture.Listener.Reader.WaitToReadAsync().AsTask()).Soon();
        fixture.Publish("b");

        await fixture.WriteBehind.DisposeAsync().Soon();

        fixture.Listener.ReadEvents().Should().Equal("a", "b");
        fixture.Log.Lines.Should().NotContain(l => l.Id == 22);
    }

    [Fact]
    public async Task DisposeAsync_StoreIsDownForAMoment_IsTriedByShortDelays()
    {
        await using WriteBehindFixture fixture = new(o => (o.RetryDelay, o.MaxRetryDelay) = (TimeSpan.FromHours(1), TimeSpan.FromHours(1)));
        fixture.Store.FailFirst(5);
        fixture.Publish("a");
        fixture.Clock.Advance(fixture.Options.FlushInterval);
        await fixture.Store.NextCallAsync();

        Task disposal = fixture.WriteBehind.DisposeAsync().AsTask();
        for (int call = 2; call <= 5; call++)
        {
            await fixture.Store.NextCallAsync();

            // The time for draining, and the delay.
            await fixture.Clock.WhenTimersAsync(2);
            fixture.Clock.Advance(Short);
        }

        await disposal.Soon();
        fixture.Listener.ReadEvents().Should().Equal("a");
    }

    [Fact]
    public async Task DisposeAsync_ClockThatNobodyTurns_EndsInRealTime()
    {
        await using WriteBehindFixture fixture = new(o => o.DrainTimeout = TimeSpan.FromMilliseconds(50));
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");

        await fixture.WriteBehind.DisposeAsync().Soon();

        fixture.Log.Lines.Should().ContainSingle(l => l.Id == 22);
        gate.SetResult();
    }

    [Fact]
    public async Task HostFlush_ClockThatNobodyTurns_EndsInRealTimeAndCountsIt()
    {
        await using WriteBehindFixture fixture = new(o => o.DrainTimeout = TimeSpan.FromSeconds(3));
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a");

        await fixture.Bus.Activity.FlushAsync(CancellationToken.None).Soon();

        // What disposal has left: not the whole time again, as the clock would have it that nobody turned.
        Task disposal = fixture.WriteBehind.DisposeAsync().AsTask();
        fixture.Clock.Advance(TimeSpan.FromSeconds(1));
        fixture.Clock.ScheduledTimers.Should().BeLessThan(2, "the time is over; only the watch over the store's call may still run");
        await disposal.Soon();
        fixture.Log.Lines.Should().ContainSingle(l => l.Id == 22);
        gate.SetResult();
    }

    [Fact]
    public void RetryDelayAfter_Failures_DoublesWithJitterUpToTheMaximum()
    {
        WriteBehindOptions options = new();
        options.RetryDelayAfter(1).Should().Be(options.RetryDelay);
        for (int failures = 2; failures <= 100; failures++)
        {
            double full = Math.Min(options.RetryDelay.TotalSeconds * Math.Pow(2, failures - 1), options.MaxRetryDelay.TotalSeconds);
            TimeSpan[] delays = [.. Enumerable.Range(0, 20).Select(_ => options.RetryDelayAfter(failures))];
            delays.Should().OnlyContain(d =>
                d.TotalSeconds >= full * 0.7499 && d.TotalSeconds <= full * 1.2501 && d <= options.MaxRetryDelay);
            delays.Distinct().Should().HaveCountGreaterThan(1, "it is jittered");
        }

        options.MaxRetryDelay = TimeSpan.FromMilliseconds(1);
        options.RetryDelayAfter(1).Should().Be(options.MaxRetryDelay);
    }

    [Fact]
    public async Task Publish_StoreFailsTwice_IsTriedAgainAfterAboutTwiceTheDelay()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Store.FailFirst(2);
        fixture.Publish("a");
        fixture.Clock.Advance(fixture.Options.FlushInterval);
        fixture.Clock.Advance(fixture.Options.RetryDelay);
        await fixture.Store.NextCallAsync();
        await fixture.Store.NextCallAsync();
        await fixture.Clock.WhenTimersAsync();

        fixture.Clock.Advance((fixture.Options.RetryDelay * 1.5) - TimeSpan.FromTicks(1));
        fixture.Clock.ScheduledTimers.Should().Be(1);
        fixture.Clock.Advance(fixture.Options.RetryDelay * 1.1);

        (await fixture.Listener.NextAsync()).Should().Be("a");
    }
}
