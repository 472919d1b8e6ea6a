using EventBus.Testing;

namespace EventBus.Tests.Handling;

public sealed class HandlerRetryTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public async Task RetryDelays_Double_JitteredByAQuarter()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        List<DateTimeOffset> attempts = [];
        bus.Handle<string>(
            "topic",
            (_, _) =>
            {
                attempts.Add(_clock.GetUtcNow());
                throw new InvalidOperationException("always");
            },
            new HandlerOptions { MaxAttempts = 5, RetryDelay = TimeSpan.FromSeconds(8) });

        bus.Publish("topic", "a");
        for (int retry = 0; retry < 4; retry++)
        {
            await _clock.WhenTimersAsync();
            _clock.Advance(TimeSpan.FromSeconds(8) * Math.Pow(2, retry) * 1.25);
        }

        await bus.WhenIdleAsync();

        TimeSpan[] delays = [.. attempts.Zip(attempts.Skip(1), (a, b) => b - a)];
        delays.Should().HaveCount(4);
        for (int retry = 0; retry < delays.Length; retry++)
            delays[retry].Should().BeGreaterThanOrEqualTo(TimeSpan.FromSeconds(8) * Math.Pow(2, retry) * 0.75);
        bus.GetStatistics().HandlerFailures.Should().Be(1);
    }

    [Fact]
    public async Task Retry_DoesNotFireEarly()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        int attempts = 0;
        bus.Handle<string>(
            "topic",
            (_, _) => ++attempts < 2 ? throw new InvalidOperationException("once") : default,
            new HandlerOptions { MaxAttempts = 2, RetryDelay = TimeSpan.FromSeconds(8) });
        bus.Publish("topic", "a");
        await _clock.WhenTimersAsync();

        _clock.Advance(TimeSpan.FromSeconds(5.99));

        _clock.ScheduledTimers.Should().Be(1);
        attempts.Should().Be(1);
        _clock.Advance(TimeSpan.FromSeconds(4.01));
        await bus.WhenIdleAsync();
        attempts.Should().Be(2);
        bus.GetStatistics().HandlerFailures.Should().Be(0);
    }

    [Fact]
    public async Task Retry_KeepsOrder_AndDoesNotRunOtherHandlersAgain()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        List<string> flaky = [], steady = [];
        bus.Handle<string>(
            "topic",
            (e, _) =>
            {
                flaky.Add(e.Event);
                return flaky.Count(f => f == e.Event) == 1 ? throw new InvalidOperationException("the first time") : default;
            },
            new HandlerOptions { MaxAttempts = 2, RetryDelay = TimeSpan.FromSeconds(1) });
        bus.Handle<string>("topic", (e, _) =>
        {
            steady.Add(e.Event);
            return default;
        });

        bus.Publish("topic", "a");
        bus.Publish("topic", "b");
        for (int i = 0; i < 2; i++)
        {
            await _clock.WhenTimersAsync();
            _clock.Advance(TimeSpan.FromSeconds(1.25));
        }

        await bus.WhenIdleAsync();

        flaky.Should().Equal("a", "a", "b", "b");
        steady.Should().Equal("a", "b");
    }

    [Fact]
    public async Task BatchThatFails_IsRetriedWhole_AndReportedOnce()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        using Subscription<BusEvent> failures = bus.Subscribe<BusEvent>("$bus:failures");
        List<string> batches = [];
        bus.HandleBatches(
            "topic",
            (batch, _) =>
            {
                batches.Add(string.Join("", batch.Select(e => e.Event)));
                throw new InvalidOperationException("always");
            },
            new HandlerOptions { MaxBatchSize = 3, MaxAttempts = 2, RetryDelay = TimeSpan.Zero });

        foreach (string @event in (string[])["a", "b", "c"])
            bus.Publish("topic", @event);
        await bus.WhenIdleAsync();

        batches.Should().Equal("abc", "abc");
        failures.ReadEvents().Should().ContainSingle().Which.Should().BeEquivalentTo(new { EventCount = 3, Attempts = 2, Topic = "topic" });
        bus.GetStatistics().HandlerFailures.Should().Be(1);
    }

    [Fact]
    public async Task Dispose_DuringARetryDelay_EndsIt()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        HandlerSubscription subscription = bus.Handle<string>(
            "topic", (_, _) => throw new InvalidOperationException("always"), new HandlerOptions { MaxAttempts = 9 });
        bus.Publish("topic", "a");
        await _clock.WhenTimersAsync();

        subscription.Dispose();

        await subscription.Completion.Soon();
        bus.GetStatistics().HandlerFailures.Should().Be(0);
    }
}
