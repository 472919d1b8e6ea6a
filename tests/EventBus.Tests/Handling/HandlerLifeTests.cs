using EventBus.Testing;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Handling;

public sealed class HandlerLifeTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public async Task PublishingToOnesOwnTopic_FromTheHandler_GoesOn()
    {
        await using InProcessEventBus bus = new();
        List<int> handled = [];
        bus.Handle<int>(
            "topic",
            async (e, token) =>
            {
                handled.Add(e.Event);
                if (e.Event < 100)
                    (await bus.PublishAsync("topic", e.Event + 1, token)).Dropped.Should().Be(0);
            },
            new HandlerOptions { Capacity = 1 });

        bus.Publish("topic", 1);
        await bus.WhenIdleAsync();

        handled.Should().Equal(Enumerable.Range(1, 100));
    }

    [Fact]
    public async Task PublishingToOnesOwnFullChannel_FromTheHandler_TimesOutInsteadOfDeadlocking()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        TaskCompletionSource<PublishResult> result = new();
        TaskCompletionSource begun = new(), full = new();
        bus.Handle<int>(
            "topic",
            async (e, token) =>
            {
                if (e.Event > 1)
                    return;
                begun.SetResult();
                await full.Task;
                result.SetResult(await bus.PublishAsync("topic", 3, token));
            },
            new HandlerOptions { Capacity = 1, WaitTimeout = TimeSpan.FromSeconds(1) });
        bus.Publish("topic", 1);
        await begun.Task.Soon();
        bus.Publish("topic", 2).Dropped.Should().Be(0);
        bus.Publish("topic", 2).Dropped.Should().Be(1);

        full.SetResult();
        await _clock.WhenTimersAsync();
        _clock.Advance(TimeSpan.FromSeconds(1));

        (await result.Task.Soon()).Should().Be(new PublishResult(1, 1));
        await bus.WhenIdleAsync();
    }

    [Fact]
    public async Task DrainAsync_FromInside_IsRefused()
    {
        await using InProcessEventBus bus = new();
        TaskCompletionSource<HandlerSubscription> self = new();
        TaskCompletionSource<Exception?> thrown = new();
        HandlerSubscription subscription = bus.Handle<string>("topic", async (_, token) =>
        {
            HandlerSubscription own = await self.Task;
            await Task.Yield();
            thrown.SetResult(await Record.ExceptionAsync(async () => await own.DrainAsync(token)));
        });
        self.SetResult(subscription);

        bus.Publish("topic", "a");

        (await thrown.Task.Soon()).Should().BeOfType<InvalidOperationException>().Which.Message.Should().Contain("wait for itself");
        await bus.WhenIdleAsync();
        await subscription.DrainAsync().Soon();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task DisposeAsync_FromInside_DoesNotWait(bool ofTheBus)
    {
        await using InProcessEventBus bus = new();
        TaskCompletionSource<HandlerSubscription> self = new();
        TaskCompletionSource<bool> waited = new();
        List<string> handled = [];
        HandlerSubscription subscription = bus.Handle<string>("topic", async (e, _) =>
        {
            handled.Add(e.Event);
            if (e.Event != "first")
                return;
            bus.Publish("topic", "second");
            ValueTask disposal = ofTheBus ? bus.DisposeAsync() : (await self.Task).DisposeAsync();
            waited.SetResult(!disposal.IsCompleted);
        });
        self.SetResult(subscription);

        bus.Publish("topic", "first");

        (await waited.Task.Soon()).Should().BeFalse();
        await subscription.Completion.Soon();
        handled.Should().Equal("first", "second");
        bus.Publish("topic", "late").Matched.Should().Be(0);
    }

    [Fact]
    public async Task DisposeAsync_DrainsWithinItsTime_ThenCancelsAndSaysWhatWasLeft()
    {
        RecordedLog log = new() { Least = LogLevel.Information };
        await using InProcessEventBus bus = new(loggerFactory: log, timeProvider: _clock);
        SteeredHandler handler = new();
        HandlerSubscription subscription = bus.Handle<string>("topic", handler.HandleAsync, new HandlerOptions { DrainTimeout = TimeSpan.FromSeconds(3) });
        foreach (string @event in (string[])["a", "b", "c"])
            bus.Publish("topic", @event);
        SteeredHandler.Call a = await handler.NextAsync();

        Task disposal = subscription.DisposeAsync().AsTask();
        Task again = subscription.DisposeAsync().AsTask();
        bus.Publish("topic", "d").Matched.Should().Be(0);
        a.End.SetResult();
        SteeredHandler.Call b = await handler.NextAsync();
        b.Token.IsCancellationRequested.Should().BeFalse();
        _clock.Advance(TimeSpan.FromSeconds(3));
        TaskCompletionSource cancelled = new();
        b.Token.Register(cancelled.SetResult);
        await cancelled.Task.Soon();
        disposal.IsCompleted.Should().BeFalse("the running call is waited for");
        b.End.SetCanceled(b.Token);
        await Task.WhenAll(disposal, again).Soon();

        handler.HasNext.Should().BeFalse();
        LogLine line = await log.NextAsync();
        line.Id.Should().Be(8);
        line.Message.Should().Contain("2 event(s)").And.Contain(nameof(SteeredHandler));
        bus.GetStatistics().HandlerFailures.Should().Be(0, "cancellation is no failure");
    }

    [Fact]
    public async Task Dispose_DiscardsAndCancels_WithoutWaiting()
    {
        await using InProcessEventBus bus = new();
        SteeredHandler handler = new();
        HandlerSubscription subscription = bus.Handle<string>("topic", handler.HandleAsync);
        bus.Publish("topic", "a");
        bus.Publish("topic", "b");
        SteeredHandler.Call a = await handler.NextAsync();

        subscription.Dispose();
        subscription.Dispose();

        a.Token.IsCancellationRequested.Should().BeTrue();
        subscription.Completion.IsCompleted.Should().BeFalse("a still runs");
        a.End.SetResult();
        await subscription.Completion.Soon();
        bus.GetStatistics().Discarded.Should().Be(1);
    }

    [Fact]
    public async Task HandlerThatNeverReturns_IsLeftBehindByDispose()
    {
        InProcessEventBus bus = new();
        SteeredHandler handler = new();
        HandlerSubscription subscription = bus.Handle<string>("topic", handler.HandleAsync);
        bus.Publish("topic", "a");
        SteeredHandler.Call never = await handler.NextAsync();

        bus.Dispose();

        never.Token.IsCancellationRequested.Should().BeTrue();
        subscription.Completion.IsCompleted.Should().BeFalse();
    }

    [Fact]
    public async Task TokenThatIsCancelled_EndsTheSubscriptionAfterWhatIsQueued()
    {
        await using InProcessEventBus bus = new();
        using CancellationTokenSource life = new();
        SteeredHandler handler = new();
        HandlerSubscription subscription = bus.Handle<string>("topic", handler.HandleAsync, cancellationToken: life.Token);
        bus.Publish("topic", "a");
        bus.Publish("topic", "b");
        SteeredHandler.Call a = await handler.NextAsync();

        await life.CancelAsync();

        a.Token.IsCancellationRequested.Should().BeFalse();
        a.End.SetResult();
        (await handler.NextAsync()).End.SetResult();
        await subscription.Completion.Soon();
    }

    [Fact]
    public async Task HandlerOptions_GivenToSubscribe_AreRefused()
    {
        await using InProcessEventBus bus = new();

        bus.Invoking(b => b.Subscribe<string>("topic", new HandlerOptions())).Should().Throw<ArgumentException>()
            .WithMessage("*HandlerOptions*Handle*").WithParameterName("options");
    }

    [Fact]
    public async Task Handler_InheritsNothingFromWhoSubscribedIt()
    {
        await using InProcessEventBus bus = new();
        AsyncLocal<string> local = new() { Value = "subscriber" };
        TaskCompletionSource<string?> seen = new();
        bus.Handle<string>("topic", (_, _) =>
        {
            seen.SetResult(local.Value);
            return default;
        });

        bus.Publish("topic", "a");

        (await seen.Task.Soon()).Should().BeNull();
    }

}
