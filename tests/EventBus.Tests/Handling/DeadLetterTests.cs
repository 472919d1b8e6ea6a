namespace EventBus.Tests.Handling;

public sealed class DeadLetterTests
{
    [Fact]
    public async Task HandlerOfFailures_IsADeadLetterStore()
    {
        EventBusOptions options = new();
        await using InProcessEventBus bus = new(options.KeepHistory("order:#"));
        bool isBroken = true;
        List<string> handled = [];
        bus.Handle<string>(["order:1", "order:2"], (e, _) =>
        {
            if (isBroken)
                throw new InvalidOperationException("broken");
            handled.Add($"{e.Topic}={e.Event}");
            return default;
        });
        List<Envelope<object>> dead = [];
        bus.Handle(BusEvent.FailuresTopic, (failure, _) =>
        {
            dead.AddRange(failure.Event.Events);
            return default;
        });

        bus.Publish("order:1", "a");
        bus.Publish("order:2", "b");
        await bus.WhenIdleAsync();
        isBroken = false;
        foreach (Envelope<object> letter in dead.ToArray())
            bus.Publish(letter.Topic, letter.Event);
        await bus.WhenIdleAsync();

        handled.Should().Equal("order:1=a", "order:2=b");
        dead.Should().Equal(bus.GetHistory<object>("order:#").Take(2), "they are told with topic, sequence and time");
    }

    [Fact]
    public async Task FailedBatch_CarriesItsEventsInOrder()
    {
        await using InProcessEventBus bus = new();
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        bus.HandleBatch<int>("run:*", (_, _) => throw new InvalidOperationException("broken"), new() { MaxBatchSize = 3 });

        for (int i = 1; i <= 3; i++)
            bus.Publish($"run:{i}", i);
        await bus.WhenIdleAsync();

        BusEvent.HandlerFailed failed = failures.ReadEvents().Should().ContainSingle().Subject;
        failed.EventCount.Should().Be(3);
        failed.Events.Select(e => (e.Topic, e.Event)).Should().Equal(("run:1", 1), ("run:2", 2), ("run:3", 3));
        failed.Events.Should().OnlyContain(e => e.PublishedAt > DateTimeOffset.UnixEpoch);
    }

    [Fact]
    public async Task NullableWithoutAValue_FailsAsAnyOtherEventDoes()
    {
        await using InProcessEventBus bus = new();
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        int calls = 0;
#pragma warning disable CS8714 // What the compiler warns of can still be done.
        bus.Handle<int?>("topic", (_, _) =>
        {
            calls++;
            throw new InvalidOperationException("broken");
        });
        bus.Publish<int?>("topic", null);
        bus.Publish<int?>("topic", null);
#pragma warning restore CS8714
        await bus.WhenIdleAsync();

        calls.Should().Be(2);
        failures.ReadEvents().Should().HaveCount(2).And.OnlyContain(f => f.EventType == typeof(int?));
    }
}
