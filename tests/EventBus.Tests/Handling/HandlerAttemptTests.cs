using EventBus.Testing;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Handling;

/// <summary>Which failures are tried again, and how long an attempt and the wait for the next one may be.</summary>
public sealed class HandlerAttemptTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public async Task RetryDelay_GrowsNoFurtherThanItsLimit()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        TimeSpan limit = TimeSpan.FromSeconds(10);
        SteeredHandler handler = new();
        List<DateTimeOffset> begun = [], failed = [];
        bus.Handle<string>(
            "topic",
            (e, token) =>
            {
                begun.Add(_clock.GetUtcNow());
                return handler.HandleAsync(e, token);
            },
            new() { MaxAttempts = 8, RetryDelay = TimeSpan.FromSeconds(8), MaxRetryDelay = limit });

        bus.Publish("topic", "a");
        for (int attempt = 1; attempt < 8; attempt++)
        {
            SteeredHandler.Call call = await handler.NextAsync();
            failed.Add(_clock.GetUtcNow());
            call.End.SetException(new InvalidOperationException("not yet"));
            await _clock.WhenTimersAsync();
            _clock.Advance(limit);
        }

        (await handler.NextAsync()).End.SetResult();
        await bus.WhenIdleAsync();

        TimeSpan[] delays = [.. failed.Zip(begun.Skip(1), (a, b) => b - a)];
        delays.Should().HaveCount(7).And.OnlyContain(d => d >= limit * 0.6 && d <= limit);
    }

    [Fact]
    public async Task Attempt_DoesNotSeeWhatAnEarlierOneLeftInTheFlowOfExecution()
    {
        await using InProcessEventBus bus = new();
        AsyncLocal<string?> local = new();
        List<string?> seen = [];
        bus.Handle<string>(
            "topic",
            (e, _) =>
            {
                seen.Add(local.Value);
                local.Value = e.Event;
                throw new InvalidOperationException("always");
            },
            new() { MaxAttempts = 2, RetryDelay = TimeSpan.Zero });

        bus.Publish("topic", "a");
        bus.Publish("topic", "b");
        await bus.WhenIdleAsync();

        seen.Should().Equal(null, null, null, null);
    }

    [Fact]
    public async Task ShouldRetry_SaysNo_GivesUpAtOnce()
    {
        await using InProcessEventBus bus = new();
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        bus.Handle<string>(
            "topic",
            (e, _) => e.Event == "bad" ? throw new FormatException("for good") : throw new InvalidOperationException("for now"),
            new() { MaxAttempts = 3, RetryDelay = TimeSpan.Zero, ShouldRetry = e => e is not FormatException });

        bus.Publish("topic", "bad");
        bus.Publish("topic", "good");
        await bus.WhenIdleAsync();

        failures.ReadEvents().Select(f => (f.Attempts, f.Exception.Message)).Should().Equal((1, "for good"), (3, "for now"));
    }

    [Fact]
    public async Task ShouldRetry_Throws_GivesUpWithTheFailureItWasAskedAbout()
    {
        using RecordedLog log = new();
        await using InProcessEventBus bus = new(loggerFactory: log);
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        bus.Handle<string>(
            "topic",
            (_, _) => throw new FormatException("the handler's"),
            new() { MaxAttempts = 3, RetryDelay = TimeSpan.Zero, ShouldRetry = _ => throw new InvalidOperationException("the option's") });

        bus.Publish("topic", "a");
        bus.Publish("topic", "b");
        await bus.WhenIdleAsync();

        failures.ReadEvents().Should().HaveCount(2).And.OnlyContain(f => f.Attempts == 1 && f.Exception is FormatException);
        log.Lines.Where(l => l.Id == 11).Should().HaveCount(2)
            .And.OnlyContain(l => l.Level == LogLevel.Error && l.Exception!.Message == "the option's" && l.Message.Contains(nameof(HandlerAttemptTests)));
    }

    [Fact]
    public async Task AttemptTimeout_CancelsTheAttemptsToken_AndTriesAgain()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        int attempts = 0;
        bus.Handle<string>(
            "topic",
            async (_, token) =>
            {
                if (++attempts < 3)
                    await Task.Delay(Timeout.InfiniteTimeSpan, _clock, token);
            },
            new() { MaxAttempts = 3, RetryDelay = TimeSpan.Zero, AttemptTimeout = TimeSpan.FromSeconds(5) });

        bus.Publish("topic", "a");
        for (int timeout = 1; timeout < 3; timeout++)
        {
            await _clock.WhenTimersAsync();

            // The attempt's time begins before the handler is called.
            await TurnedTo(() => attempts == timeout);
            _clock.Advance(TimeSpan.FromSeconds(4.9));
            attempts.Should().Be(timeout);
            _clock.Advance(TimeSpan.FromSeconds(0.1));
            await TurnedTo(() => attempts == timeout + 1);
        }

        await bus.WhenIdleAsync();
        bus.GetStatistics().HandlerFailures.Should().Be(0);
        _clock.ScheduledTimers.Should().Be(0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AttemptTimeout_IsAFailure_HoweverTheHandlerEndsAfterIt(bool endsWell)
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        bus.Handle<string>(
            "topic",
            async (_, token) =>
            {
                TaskCompletionSource cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
                using (token.Register(cancelled.SetResult))
                    await cancelled.Task;
                if (!endsWell)
                    throw new FormatException("late");
            },
            new() { AttemptTimeout = TimeSpan.FromSeconds(5), Name = "slow" });

        bus.Publish("topic", "a");
        await _clock.WhenTimersAsync();
        _clock.Advance(TimeSpan.FromSeconds(5));

        BusEvent.HandlerFailed failed = await failures.NextAsync();
        TimeoutException timeout = failed.Exception.Should().BeOfType<TimeoutException>().Subject;
        timeout.Message.Should().Contain("00:00:05").And.Contain(failed.Handler);
        timeout.InnerException.Should().Match(e => endsWell ? e == null : e is FormatException);
    }

    [Fact]
    public async Task AttemptTimeout_OfABatchWithFilters_CoversThemToo()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        TestFilter slow = new(async (_, _, token) => await Task.Delay(Timeout.InfiniteTimeSpan, _clock, token));
        bus.HandleBatch<string>(
            "topic", (_, _) => default, new() { AttemptTimeout = TimeSpan.FromSeconds(5), MaxBatchSize = 2, Filters = { slow } });

        bus.Publish("topic", "a");
        bus.Publish("topic", "b");
        await _clock.WhenTimersAsync();
        while (!failures.Reader.TryPeek(out _))
        {
            _clock.Advance(TimeSpan.FromSeconds(5));
            await Task.Yield();
        }

        BusEvent.HandlerFailed failed = await failures.NextAsync();
        failed.Exception.Should().BeOfType<TimeoutException>();
        failed.EventCount.Should().Be(2);
    }

    [Fact]
    public async Task AttemptTimeout_WhoseCallbacksThrow_IsStillOneFailureOfOneAttempt()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        List<string> handled = [];
        TaskCompletionSource registered = new();
        bus.Handle<string>(
            "topic",
            async (e, token) =>
            {
                if (e.Event == "bad")
                {
                    TaskCompletionSource cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
                    token.Register(() => cancelled.SetResult());
                    token.Register(() => throw new InvalidOperationException("a callback's"));
                    registered.SetResult();
                    await cancelled.Task;
                }

                handled.Add(e.Event);
            },
            new() { AttemptTimeout = TimeSpan.FromSeconds(5) });

        bus.Publish("topic", "bad");
        bus.Publish("topic", "good");
        await registered.Task.Soon();
        _clock.Advance(TimeSpan.FromSeconds(5));
        await bus.WhenIdleAsync();

        handled.Should().Equal("bad", "good");
        bus.GetStatistics().HandlerFailures.Should().Be(1);
    }

    [Fact]
    public async Task Dispose_DuringAnAttemptWithATimeout_IsNoFailure()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        HandlerSubscription subscription = bus.Handle<string>(
            "topic",
            async (_, token) => await Task.Delay(Timeout.InfiniteTimeSpan, _clock, token),
            new() { AttemptTimeout = TimeSpan.FromSeconds(5) });
        bus.Publish("topic", "a");
        await _clock.WhenTimersAsync();

        subscription.Dispose();

        await subscription.Completion.Soon();
        bus.GetStatistics().HandlerFailures.Should().Be(0);
        _clock.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public void Options_Defaults_AreThoseOfTheContract()
    {
        HandlerOptions options = new();

        options.MaxRetryDelay.Should().Be(TimeSpan.FromMinutes(5));
        options.ShouldRetry.Should().BeNull();
        options.AttemptTimeout.Should().BeNull();
        options.Filters.Should().BeEmpty();
    }

    [Theory]
    [InlineData(nameof(HandlerOptions.MaxRetryDelay), "-00:00:00.0010000", "0 to 24 hours")]
    [InlineData(nameof(HandlerOptions.MaxRetryDelay), "1.00:00:01", "0 to 24 hours")]
    [InlineData(nameof(HandlerOptions.AttemptTimeout), "00:00:00", "above 0, to 24 hours")]
    [InlineData(nameof(HandlerOptions.AttemptTimeout), "1.00:00:01", "above 0, to 24 hours")]
    public void TimeOutOfRange_NamesTheOptionItsValueAndItsRange(string option, string value, string range)
    {
        using InProcessEventBus bus = new();
        HandlerOptions options = new();
        typeof(HandlerOptions).GetProperty(option)!.SetValue(options, TimeSpan.Parse(value, null));

        Action handle = () => bus.Handle<string>("topic", (_, _) => default, options);

        handle.Should().Throw<ArgumentException>().WithMessage($"*{option} is {value}*{range}*");
    }

    /// <summary>Waits for what a turn of the clock has begun on other threads.</summary>
    private static async Task TurnedTo(Func<bool> condition)
    {
        using CancellationTokenSource hung = new(HangGuard.Limit);
        while (!condition())
        {
            hung.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
