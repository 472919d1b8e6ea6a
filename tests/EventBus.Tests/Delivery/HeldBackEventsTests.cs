using EventBus.Testing;

namespace EventBus.Tests.Delivery;

/// <summary>A handler with workers holds events back for their topic; they take up room until they are handled.</summary>
public sealed class HeldBackEventsTests
{
    private static readonly HandlerOptions TwoWorkersThreeEvents = new() { MaxConcurrency = 2, Capacity = 3 };

    [Fact]
    public async Task PublishAsync_RoomMadeByAHeldBackEventThatIsHandled_WakesTheHandler()
    {
        await using InProcessEventBus bus = new(timeProvider: new FakeTimeProvider());
        TaskCompletionSource first = new(), last = new();
        TaskCompletionSource<int> started = new();
        using HandlerSubscription handler = bus.Handle<int>(
            "slow",
            async (envelope, _) =>
            {
                if (envelope.Event == 0)
                {
                    started.SetResult(0);
                    await first.Task;
                }
                else if (envelope.Event == 4)
                {
                    last.SetResult();
                }
            },
            TwoWorkersThreeEvents);

        bus.Publish("slow", 0);
        await started.Task.Soon();
        bus.Publish("slow", 1);
        bus.Publish("slow", 2);
        bus.Publish("slow", 3);
        Task<PublishResult> waiting = bus.PublishAsync("slow", 4).AsTask();
        waiting.IsCompleted.Should().BeFalse("three events are queued or held back behind the one that is being handled");

        first.SetResult();
        (await waiting.Soon()).Should().Be(new PublishResult(1, 0));
        await last.Task.Soon();
    }
}
