using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Handling;

/// <summary>A handler whose channel overflowed under <see cref="OverflowPolicy.Close"/> does not end in silence.</summary>
public sealed class HandlerOverflowTests
{
    private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(1, true)]
    public async Task Overflow_IsLoggedCountedAndPublished_AfterWhatWasQueuedIsHandled(int concurrency, bool batches)
    {
        using RecordedLog log = new();
        await using InProcessEventBus bus = new(loggerFactory: log);
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        HandlerOptions options = new() { Capacity = 2, Overflow = OverflowPolicy.Close, MaxConcurrency = concurrency, Name = "closing", MaxBatchSize = 1 };
        int handled = 0;
        HandlerSubscription subscription = batches
            ? bus.HandleBatch<int>("topic", (_, _) => HandleAsync(), options)
            : bus.Handle<int>("topic", (_, _) => HandleAsync(), options);

        int published = 0;
        while (subscription.Dropped == 0)
            bus.Publish("topic", published++);
        failures.Count.Should().Be(0, "what was queued is not handled yet");
        handled.Should().Be(0);
        _goOn.SetResult();
        await subscription.Completion.Soon();

        handled.Should().Be(published - 1);
        BusEvent.HandlerFailed failed = failures.ReadEvents().Should().ContainSingle().Subject;
        failed.Should().BeEquivalentTo(new { SubscriptionId = subscription.Id, Name = "closing", Topic = "topic", EventType = typeof(int), EventCount = 0, Attempts = 0 });
        failed.Exception.Should().BeOfType<SubscriptionOverflowException>();
        failed.Handler.Should().Contain(nameof(HandlerOverflowTests));
        failed.Events.Should().BeEmpty();
        bus.GetStatistics().HandlerFailures.Should().Be(1);
        LogLine line = log.Lines.Should().ContainSingle(l => l.Id == 10).Subject;
        line.Level.Should().Be(LogLevel.Error);
        line.Exception.Should().Be(failed.Exception);
        line.Message.Should().Contain(failed.Handler).And.Contain("closing");

        async ValueTask HandleAsync()
        {
            await _goOn.Task;
            Interlocked.Increment(ref handled);
        }
    }

    [Fact]
    public async Task Overflow_OfAHandlerOfTheBussOwnTopics_IsOnlyLogged()
    {
        using RecordedLog log = new();
        await using InProcessEventBus bus = new(loggerFactory: log);
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        bus.Handle<int>("topic", (_, _) => throw new InvalidOperationException("broken"));
        HandlerSubscription watcher = bus.Handle<BusEvent>(
            "$bus:#", async (_, _) => await _goOn.Task, new() { Capacity = 1, Overflow = OverflowPolicy.Close });

        int published = 0;
        while (watcher.Dropped == 0)
        {
            bus.Publish("topic", published++);
            (await failures.NextAsync()).Exception.Should().BeOfType<InvalidOperationException>();
        }

        _goOn.SetResult();
        await watcher.Completion.Soon();

        log.Lines.Should().ContainSingle(l => l.Id == 10);
        failures.ReadEvents().Should().BeEmpty();
        bus.GetStatistics().HandlerFailures.Should().Be(published);
    }
}
