namespace EventBus.Tests.Handling;

public sealed class ConcurrencyTests
{
    [Fact]
    public async Task PerTopic_TopicsInParallelUpToTheLimit_EachInOrder()
    {
        await using InProcessEventBus bus = new();
        SteeredHandler handler = new();
        bus.Handle<string>("#", handler.HandleAsync, new HandlerOptions { MaxConcurrency = 2 });
        foreach ((string topic, string @event) in ((string, string)[])[("a", "a1"), ("a", "a2"), ("b", "b1"), ("c", "c1")])
            bus.Publish(topic, @event);

        SteeredHandler.Call[] running = [await handler.NextAsync(), await handler.NextAsync()];

        running.Select(r => r.Event).Should().BeEquivalentTo(["a1", "b1"], "a2 waits for its topic, and c1 for a worker");
        SteeredHandler.Call a1 = running.Single(r => r.Event == "a1");
        SteeredHandler.Call b1 = running.Single(r => r.Event == "b1");
        handler.HasNext.Should().BeFalse();
        b1.End.SetResult();
        SteeredHandler.Call c1 = await handler.NextAsync();
        c1.Event.Should().Be("c1");
        a1.End.SetResult();
        SteeredHandler.Call a2 = await handler.NextAsync();
        a2.Event.Should().Be("a2");
        c1.End.SetResult();
        a2.End.SetResult();
        await bus.WhenIdleAsync();
    }

    [Fact]
    public async Task PerTopic_ASlowTopic_HoldsUpNoOther()
    {
        await using InProcessEventBus bus = new();
        SteeredHandler handler = new();
        bus.Handle<string>("#", handler.HandleAsync, new HandlerOptions { MaxConcurrency = 2 });
        for (int i = 0; i < 10; i++)
            bus.Publish("slow", $"slow {i}");
        SteeredHandler.Call slow = await handler.NextAsync();

        for (int i = 0; i < 10; i++)
        {
            bus.Publish($"quick:{i}", $"quick {i}");
            SteeredHandler.Call quick = await handler.NextAsync();
            quick.Event.Should().Be($"quick {i}");
            quick.End.SetResult();
        }

        slow.Event.Should().Be("slow 0");
        slow.End.SetResult();
        for (int i = 1; i < 10; i++)
        {
            SteeredHandler.Call next = await handler.NextAsync();
            next.Event.Should().Be($"slow {i}");
            next.End.SetResult();
        }

        await bus.WhenIdleAsync();
    }

    [Fact]
    public async Task None_EventsOfOneTopic_BesideEachOther()
    {
        await using InProcessEventBus bus = new();
        SteeredHandler handler = new();
        bus.Handle<string>("a", handler.HandleAsync, new HandlerOptions { MaxConcurrency = 3, Order = HandlerOrder.None });
        for (int i = 0; i < 4; i++)
            bus.Publish("a", $"{i}");

        SteeredHandler.Call[] running = [await handler.NextAsync(), await handler.NextAsync(), await handler.NextAsync()];

        running.Select(r => r.Event).Should().BeEquivalentTo("0", "1", "2");
        handler.HasNext.Should().BeFalse();
        running[2].End.SetResult();
        SteeredHandler.Call last = await handler.NextAsync();
        last.Event.Should().Be("3");
        foreach (SteeredHandler.Call call in running[..2].Append(last))
            call.End.SetResult();
        await bus.WhenIdleAsync();
    }

    [Fact]
    public async Task HeldBackEvents_TakeUpCapacity_AndAreDiscardedOnDispose()
    {
        await using InProcessEventBus bus = new();
        SteeredHandler handler = new();
        HandlerSubscription subscription = bus.Handle<string>("a", handler.HandleAsync, new HandlerOptions { MaxConcurrency = 2, Capacity = 3 });
        bus.Publish("a", "0");
        SteeredHandler.Call running = await handler.NextAsync();
        for (int i = 1; i <= 3; i++)
            bus.Publish("a", $"{i}").Dropped.Should().Be(0);

        bus.Publish("a", "4").Dropped.Should().Be(1);
        subscription.Count.Should().Be(3);
        subscription.Dispose();
        running.Token.IsCancellationRequested.Should().BeTrue();
        running.End.SetResult();
        await subscription.Completion.Soon();

        handler.HasNext.Should().BeFalse();
        EventBusStatistics statistics = bus.GetStatistics();
        (statistics.Delivered, statistics.Dropped, statistics.Discarded, statistics.Queued).Should().Be((1, 1, 3, 0));
    }

    [Fact]
    public async Task OverflowUnderClose_CompletesOnlyAfterTheLastWorker()
    {
        await using InProcessEventBus bus = new();
        SteeredHandler handler = new();
        HandlerSubscription subscription = bus.Handle<string>(
            "#", handler.HandleAsync, new HandlerOptions { MaxConcurrency = 2, Capacity = 1, Overflow = OverflowPolicy.Close });
        bus.Publish("a", "a1");
        SteeredHandler.Call a1 = await handler.NextAsync();
        bus.Publish("b", "b1");
        SteeredHandler.Call b1 = await handler.NextAsync();
        bus.Publish("c", "c1");
        bus.Publish("d", "d1").Dropped.Should().Be(1);

        b1.End.SetResult();
        SteeredHandler.Call c1 = await handler.NextAsync();
        c1.End.SetResult();

        subscription.Completion.IsCompleted.Should().BeFalse("a1 still runs");
        a1.End.SetResult();
        await subscription.Completion.Soon();
    }
}
