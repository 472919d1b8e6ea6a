using EventBus.Testing;

namespace EventBus.Tests.Handling;

/// <summary>Ending handlers: nothing waits longer than it must, and nothing for ever but who was asked to.</summary>
public sealed class HandlerDrainTests : IDisposable
{
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(3);

    /// <summary>How long a cancelled call is waited for.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly FakeTimeProvider _clock = new();
    private readonly RecordedLog _log = new();
    private readonly SteeredHandler _handler = new();

    public void Dispose() => _log.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task DisposeAsync_ClockThatNobodyTurns_CancelsInRealTime(bool ofTheBus)
    {
        InProcessEventBus bus = new(timeProvider: _clock);
        TaskCompletionSource running = new();
        HandlerSubscription subscription = bus.Handle<string>(
            "topic",
            (_, token) =>
            {
                running.SetResult();
                return new ValueTask(Task.Delay(Timeout.InfiniteTimeSpan, _clock, token));
            },
            new HandlerOptions { DrainTimeout = TimeSpan.FromMilliseconds(1) });
        bus.Publish("topic", "a");
        await running.Task.Soon();

        await (ofTheBus ? bus.DisposeAsync() : subscription.DisposeAsync()).Soon();

        subscription.Completion.IsCompleted.Should().BeTrue();
        await bus.DisposeAsync().Soon();
    }

    [Fact]
    public async Task DisposeAsyncOfTheBus_HandlerHangs_NamesItAndGoesOn()
    {
        InProcessEventBus bus = new(loggerFactory: _log, timeProvider: _clock);
        using Subscription<string> other = bus.Subscribe<string>("other");
        HandlerSubscription subscription = bus.Handle<string>("topic", _handler.HandleAsync, new HandlerOptions { DrainTimeout = DrainTimeout });
        bus.Publish("topic", "a");
        SteeredHandler.Call hanging = await _handler.NextAsync();

        Task disposal = bus.DisposeAsync().AsTask();
        await TurnUntilCancelledAsync(hanging);
        disposal.IsCompleted.Should().BeFalse("a call that was cancelled gets time to end");
        _clock.Advance(Patience);
        await disposal.Soon();

        _log.Lines.Should().ContainSingle(l => l.Id == 15).Which.Message.Should().Contain(nameof(SteeredHandler)).And.Contain("\"topic\"");
        _log.Lines.Should().ContainSingle(l => l.Id == 8).Which.Message.Should().Contain("1 event(s)");
        subscription.Completion.IsCompleted.Should().BeFalse("the call still runs");
        await other.Completion.Soon();
        await bus.DisposeAsync().Soon();
        hanging.End.SetResult();
        await subscription.Completion.Soon();
    }

    [Fact]
    public async Task DisposeAsyncOfTheSubscription_HandlerHangs_NamesItAndWaitsOn()
    {
        await using InProcessEventBus bus = new(loggerFactory: _log, timeProvider: _clock);
        HandlerSubscription subscription = bus.Handle<string>("topic", _handler.HandleAsync, new HandlerOptions { DrainTimeout = DrainTimeout });
        bus.Publish("topic", "a");
        SteeredHandler.Call hanging = await _handler.NextAsync();

        Task disposal = subscription.DisposeAsync().AsTask();
        await TurnUntilCancelledAsync(hanging);
        _clock.Advance(Patience);

        LogLine line = await _log.NextAsync();
        line.Id.Should().Be(15);
        line.Message.Should().Contain(nameof(SteeredHandler));
        disposal.IsCompleted.Should().BeFalse("the call still runs");
        hanging.End.SetResult();
        await disposal.Soon();
    }

    [Fact]
    public async Task DisposeAsyncOfTheBus_HandlerWasDisposedAndHangs_DoesNotDrainItFirst()
    {
        InProcessEventBus bus = new(loggerFactory: _log, timeProvider: _clock);
        HandlerSubscription subscription = bus.Handle<string>("topic", _handler.HandleAsync, new HandlerOptions { DrainTimeout = TimeSpan.FromHours(1) });
        bus.Publish("topic", "a");
        SteeredHandler.Call hanging = await _handler.NextAsync();
        subscription.Dispose();

        Task disposal = bus.DisposeAsync().AsTask();
        await _clock.WhenTimersAsync();
        _clock.Advance(Patience);
        await disposal.Soon();

        _log.Lines.Should().ContainSingle().Which.Id.Should().Be(15, "what it discarded is the business of who disposed it");
        hanging.End.SetResult();
    }

    [Theory]
    [InlineData("drain", 1)]
    [InlineData("dispose", 1)]
    [InlineData("bus", 1)]
    [InlineData("bus", 4)]
    public async Task End_DuringARetryDelay_MakesTheRemainingAttemptsAtOnce(string end, int concurrency)
    {
        InProcessEventBus bus = new(timeProvider: _clock);
        int attempts = 0;
        HandlerSubscription subscription = bus.Handle<string>(
            "topic",
            (_, token) => ++attempts < 4 ? throw new InvalidOperationException("not yet") : default,
            new HandlerOptions { MaxAttempts = 4, RetryDelay = TimeSpan.FromHours(1), MaxConcurrency = concurrency });
        bus.Publish("topic", "a");
        await _clock.WhenTimersAsync();

        await (end switch
        {
            "drain" => subscription.DrainAsync(),
            "dispose" => subscription.DisposeAsync(),
            _ => bus.DisposeAsync(),
        }).Soon(); // the clock stands still

        attempts.Should().Be(4);
        bus.GetStatistics().HandlerFailures.Should().Be(0);
        await bus.DisposeAsync().Soon();
    }

    [Fact]
    public async Task End_DuringRetryDelays_OneNextAttemptHoldsUpNoOther()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        using CountdownEvent both = new(2);
        int attempts = 0;
        HandlerSubscription subscription = bus.Handle<string>(
            "topic:*",
            (_, token) =>
            {
                if (Interlocked.Increment(ref attempts) <= 2)
                    throw new InvalidOperationException("the first attempt");

                // Blocks its thread until the other one is there.
                both.Signal();
                both.Wait(HangGuard.Limit, token).Should().BeTrue();
                return default;
            },
            new HandlerOptions { MaxAttempts = 2, RetryDelay = TimeSpan.FromHours(1), MaxConcurrency = 2 });
        bus.Publish("topic:1", "a");
        bus.Publish("topic:2", "b");
        await _clock.WhenTimersAsync(2);

        await subscription.DrainAsync().Soon();

        bus.GetStatistics().HandlerFailures.Should().Be(0);
    }

    [Fact]
    public async Task DisposeAsync_WhileAHandlerJoins_WaitsForIt()
    {
        JoiningClock clock = new();
        InProcessEventBus bus = new(timeProvider: clock);
        Task? disposal = null;
        bool isOver = true;
        clock.WhenJoining = () =>
        {
            disposal = bus.DisposeAsync().AsTask();
            isOver = disposal.IsCompleted;
        };

        HandlerSubscription subscription = bus.Handle<string>("topic", (_, _) => default, new HandlerOptions { Replay = Replay.All });

        isOver.Should().BeFalse("the handler that is about to join is waited for");
        await disposal!.Soon();
        await subscription.Completion.Soon();
    }

    [Fact]
    public async Task Handler_StoppedBeforeItJoined_IsInNoRoute()
    {
        JoiningClock clock = new();
        await using InProcessEventBus bus = new(timeProvider: clock);
        clock.WhenJoining = () => _ = bus.Activity.Loops().Single().DrainAndStopAsync();

        HandlerSubscription subscription = bus.Handle<string>("topic", (_, _) => default, new HandlerOptions { Replay = Replay.All });

        await subscription.Completion.Soon();
        bus.GetSubscriptions().Should().BeEmpty();
        bus.Publish("topic", "a").Matched.Should().Be(0);
    }

    [Fact]
    public async Task Handle_BusIsDisposed_LeavesNothingToWaitFor()
    {
        InProcessEventBus bus = new();
        bus.Dispose();

        bus.Invoking(b => b.Handle<string>("topic", (_, _) => default)).Should().Throw<ObjectDisposedException>();

        bus.Activity.Loops().Should().BeEmpty();
        await bus.DisposeAsync().Soon();
    }

    private async Task TurnUntilCancelledAsync(SteeredHandler.Call call)
    {
        TaskCompletionSource cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        call.Token.Register(cancelled.SetResult);
        await _clock.WhenTimersAsync();
        _clock.Advance(DrainTimeout);
        await cancelled.Task.Soon();
        await _clock.WhenTimersAsync();
    }

    /// <summary>The system's clock, which does something when a handler with replay is about to join: that is when it is asked for the second time.</summary>
    private sealed class JoiningClock : TimeProvider
    {
        private int _asked;

        public Action? WhenJoining { get; set; }

        public override DateTimeOffset GetUtcNow()
        {
            if (WhenJoining is not null && ++_asked == 2)
                WhenJoining();
            return base.GetUtcNow();
        }
    }
}
