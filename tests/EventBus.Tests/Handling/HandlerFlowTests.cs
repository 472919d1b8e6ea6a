using EventBus.Handling;

namespace EventBus.Tests.Handling;

/// <summary>What counts as inside of a handler: a call that runs and what it started, and nothing that outlives it.</summary>
public sealed class HandlerFlowTests
{
    [Theory]
    [InlineData(1, HandlerOrder.PerTopic, false)]
    [InlineData(1, HandlerOrder.PerTopic, true)]
    [InlineData(2, HandlerOrder.PerTopic, false)]
    [InlineData(2, HandlerOrder.None, true)]
    public async Task WorkThatOutlivesItsCall_CanDrainAndDispose_WhileTheNextCallRuns(int concurrency, HandlerOrder order, bool yields)
    {
        await using InProcessEventBus bus = new();
        TaskCompletionSource<HandlerSubscription> self = new();
        TaskCompletionSource go = new(), end = new(), running = new();
        TaskCompletionSource<(Task Drain, Task Disposal)> begun = new();
        HandlerSubscription subscription = bus.Handle<string>(
            "topic",
            async (e, token) =>
            {
                if (yields)
                    await Task.Yield();
                if (e.Event == "first")
                {
                    _ = Task.Run(async () =>
                    {
                        await go.Task;
                        HandlerSubscription own = await self.Task;
                        begun.SetResult((own.DrainAsync().AsTask(), own.DisposeAsync().AsTask()));
                    }, CancellationToken.None);
                    return;
                }

                running.SetResult();
                await end.Task;
            },
            new HandlerOptions { MaxConcurrency = concurrency, Order = order });
        self.SetResult(subscription);
        bus.Publish("topic", "first");
        await bus.WhenIdleAsync();
        bus.Publish("topic", "second");
        await running.Task.Soon();

        go.SetResult();
        (Task drain, Task disposal) = await begun.Task.Soon();

        drain.IsFaulted.Should().BeFalse("its call has ended");
        disposal.IsCompleted.Should().BeFalse("the second call still runs");
        end.SetResult();
        await Task.WhenAll(drain, disposal).Soon();
    }

    [Fact]
    public async Task WorkThatOutlivesItsBatch_CanDrain_WhileTheNextBatchRuns()
    {
        await using InProcessEventBus bus = new();
        TaskCompletionSource<HandlerSubscription> self = new();
        TaskCompletionSource go = new(), end = new(), running = new();
        TaskCompletionSource<Task> begun = new();
        HandlerSubscription subscription = bus.HandleBatches(
            "topic",
            async (batch, token) =>
            {
                if (batch[0].Event == "first")
                {
                    _ = Task.Run(async () =>
                    {
                        await go.Task;
                        begun.SetResult((await self.Task).DrainAsync().AsTask());
                    }, CancellationToken.None);
                    return;
                }

                running.SetResult();
                await end.Task;
            },
            new HandlerOptions { MaxBatchDelay = TimeSpan.Zero });
        self.SetResult(subscription);
        bus.Publish("topic", "first");
        await bus.WhenIdleAsync();
        bus.Publish("topic", "second");
        await running.Task.Soon();

        go.SetResult();
        Task drain = await begun.Task.Soon();

        drain.IsFaulted.Should().BeFalse("its call has ended");
        end.SetResult();
        await drain.Soon();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task WorkThatTheRunningCallStarted_IsInside(int concurrency)
    {
        await using InProcessEventBus bus = new();
        TaskCompletionSource<HandlerSubscription> self = new();
        TaskCompletionSource<Exception?> thrown = new();
        HandlerSubscription subscription = bus.Handle<string>(
            "topic",
            async (_, _) =>
            {
                HandlerSubscription own = await self.Task;
                thrown.SetResult(await Record.ExceptionAsync(() => Task.Run(async () => await own.DrainAsync())));
            },
            new HandlerOptions { MaxConcurrency = concurrency });
        self.SetResult(subscription);

        bus.Publish("topic", "a");

        (await thrown.Task.Soon()).Should().BeOfType<InvalidOperationException>();
    }

    [Fact]
    public async Task ManyCalls_EachIsInsideOfItself()
    {
        await using InProcessEventBus bus = new();
        TaskCompletionSource<HandlerSubscription> self = new();
        int inside = 0;
        HandlerSubscription subscription = bus.Handle<int>("topic", async (e, _) =>
        {
            HandlerSubscription own = await self.Task;
            if (e.Event % 3 == 0)
                await Task.Yield();
            if (own.DisposeAsync().AsTask().IsCompleted)
                inside++;
        });
        for (int i = 0; i < 1000; i++)
            bus.Publish("topic", i);

        self.SetResult(subscription);
        await subscription.Completion.Soon();

        inside.Should().Be(1000);
    }

    [Fact]
    public async Task CallThatAllocatesNothing_LeavesItsMarkToTheNext()
    {
        // In a flow of its own, which the marks are put into.
        long allocated = await Task.Run(() =>
        {
            HandlerFlow flow = new(null!);
            Call(flow);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
                Call(flow);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        });

        allocated.Should().Be(0);
    }

    private static void Call(HandlerFlow flow)
    {
        flow.Begin();
        flow.Returned(isOver: true);
        flow.End();
    }
}
