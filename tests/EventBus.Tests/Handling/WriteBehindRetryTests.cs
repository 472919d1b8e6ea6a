using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Handling;

public sealed class WriteBehindRetryTests
{
    [Fact]
    public async Task Publish_StoreIsDownForTenFlushes_LosesAndReordersNothing()
    {
        await using WriteBehindFixture fixture = new(o => (o.MaxBatchSize, o.MaxRetryDelay) = (4, o.RetryDelay));
        fixture.Store.FailFirst(10);
        fixture.Publish("0", "1");
        fixture.Clock.Advance(fixture.Options.FlushInterval);
        await fixture.Store.NextCallAsync();
        for (int failure = 1; failure <= 10; failure++)
        {
            await fixture.Clock.WhenTimersAsync();
            fixture.Listener.Count.Should().Be(0, "nothing is broadcast that is not stored");
            fixture.Publish($"{failure + 1}");
            fixture.Clock.Advance(fixture.Options.RetryDelay);
            await fixture.Store.NextCallAsync();
        }

        await fixture.WriteBehind.FlushAsync().Soon();

        string[] all = [.. Enumerable.Range(0, 12).Select(i => $"{i}")];
        fixture.Store.Calls.Take(11).Should().OnlyContain(batch => batch == fixture.Store.Calls[0], "the same batch is retried");
        fixture.Store.Events.Should().Equal(all);
        fixture.Store.Batches.Select(b => b.Count).Should().Equal(2, 4, 4, 2);
        fixture.Listener.ReadEvents().Should().Equal(all);
        fixture.WriteBehind.Count.Should().Be(0);
        fixture.Clock.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public async Task Publish_StoreFails_IsTriedAgainAfterTheDelayAndNotBefore()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Store.FailFirst(1);
        fixture.Publish("a");
        fixture.Clock.Advance(fixture.Options.FlushInterval);
        await fixture.Store.NextCallAsync();

        fixture.Clock.ScheduledTimers.Should().Be(1);
        fixture.Clock.Advance(fixture.Options.RetryDelay - TimeSpan.FromTicks(1));
        fixture.Clock.ScheduledTimers.Should().Be(1);
        fixture.Clock.Advance(TimeSpan.FromTicks(1));

        await fixture.Store.NextCallAsync();
        (await fixture.Listener.NextAsync()).Should().Be("a");
    }

    [Fact]
    public async Task Publish_StoreThatThrowsACancellationOfItsOwn_IsAFailureLikeAnyOther()
    {
        await using WriteBehindFixture fixture = new();
        fixture.Store.OnAppend = (call, _) => call == 1 ? throw new OperationCanceledException("a time-out") : ValueTask.CompletedTask;
        fixture.Publish("a");
        fixture.Clock.Advance(fixture.Options.FlushInterval);

        fixture.Clock.Advance(fixture.Options.RetryDelay);

        (await fixture.Listener.NextAsync()).Should().Be("a");
    }

    [Fact]
    public async Task Publish_StoreIsDown_IsLoggedEverMoreRarelyAndOnceWhenItIsUpAgain()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxRetryDelay = o.RetryDelay);
        fixture.Store.FailFirst(20);
        fixture.Publish("a");
        fixture.Clock.Advance(fixture.Options.FlushInterval);
        for (int failure = 1; failure <= 20; failure++)
        {
            await fixture.Clock.WhenTimersAsync();
            fixture.Clock.Advance(fixture.Options.RetryDelay);
        }

        (await fixture.Listener.NextAsync()).Should().Be("a");

        fixture.Log.Lines.Where(l => l.Level == LogLevel.Error).Select(l => l.Exception!.Message).Should().Equal(
            [.. ((int[])[1, 2, 4, 8, 16]).Select(n => $"The store is down at call {n}.")]);
        fixture.Log.Lines.Last().Should().Match<LogLine>(l =>
            l.Level == LogLevel.Information && l.Message == "The store of String took the batch at attempt 21.");
    }
}
