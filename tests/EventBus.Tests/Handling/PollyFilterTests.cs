using EventBus.Testing;
using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace EventBus.Tests.Handling;

/// <summary>A resilience pipeline fits around handlers in three lines.</summary>
public sealed class PollyFilterTests
{
    [Fact]
    public async Task Pipeline_RetriesWithinOneAttempt()
    {
        await using InProcessEventBus bus = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddRetry(new RetryStrategyOptions { MaxRetryAttempts = 2, Delay = TimeSpan.Zero })
            .Build();
        int calls = 0;
        bus.Handle<string>(
            "topic", (_, _) => ++calls < 3 ? throw new InvalidOperationException("not yet") : default, new() { Filters = { new PollyFilter(pipeline) } });

        bus.Publish("topic", "a");
        await bus.WhenIdleAsync();

        calls.Should().Be(3);
        bus.GetStatistics().HandlerFailures.Should().Be(0);
    }

    [Fact]
    public async Task Pipeline_ReplacesTheToken()
    {
        FakeTimeProvider clock = new();
        await using InProcessEventBus bus = new();
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = clock }.AddTimeout(TimeSpan.FromSeconds(1)).Build();
        bus.Handle<string>(
            "topic", async (_, token) => await Task.Delay(Timeout.InfiniteTimeSpan, clock, token), new() { Filters = { new PollyFilter(pipeline) } });

        bus.Publish("topic", "a");
        await clock.WhenTimersAsync();
        clock.Advance(TimeSpan.FromSeconds(1));

        (await failures.NextAsync()).Exception.Should().BeOfType<TimeoutRejectedException>();
    }

    private sealed class PollyFilter(ResiliencePipeline pipeline) : IHandlerFilter
    {
        public ValueTask InvokeAsync(HandlerContext context, Func<CancellationToken, ValueTask> next, CancellationToken cancellationToken) =>
            pipeline.ExecuteAsync(next, cancellationToken);
    }
}
