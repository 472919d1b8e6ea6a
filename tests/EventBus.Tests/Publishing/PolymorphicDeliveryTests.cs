namespace EventBus.Tests.Publishing;

/// <summary>An event goes to every subscription whose type its runtime type is assignable to, exactly once.</summary>
public sealed class PolymorphicDeliveryTests : IDisposable
{
    private readonly InProcessEventBus _bus = new();

    private interface IMarked
    {
        int Mark { get; }
    }

    public void Dispose() => _bus.Dispose();

    [Fact]
    public void Publish_TagOfAHierarchy_ReachesTheTagItsHierarchyItsInterfacesAndObject()
    {
        using Subscription<AgentEvent> all = _bus.Subscribe<AgentEvent>("t");
        using Subscription<AgentEvent.Started> started = _bus.Subscribe<AgentEvent.Started>("t");
        using Subscription<AgentEvent.Stopped> stopped = _bus.Subscribe<AgentEvent.Stopped>("t");
        using Subscription<IMarked> marked = _bus.Subscribe<IMarked>("t");
        using Subscription<IEquatable<AgentEvent.Stopped>> equatable = _bus.Subscribe<IEquatable<AgentEvent.Stopped>>("t");
        using Subscription<object> everything = _bus.Subscribe<object>("t");
        AgentEvent.Stopped e = new(3);

        _bus.Publish("t", e).Should().Be(new PublishResult(5, 0));

        all.ReadEvents().Should().Equal(e);
        started.Count.Should().Be(0);
        stopped.ReadEvents().Should().Equal(e);
        marked.ReadEvents().Should().Equal(e);
        equatable.ReadEvents().Should().ContainSingle().Which.Should().BeSameAs(e);
        everything.ReadEvents().Should().Equal(e);
    }

    [Fact]
    public void Publish_AsABaseType_GoesByTheRuntimeType()
    {
        using Subscription<AgentEvent.Stopped> stopped = _bus.Subscribe<AgentEvent.Stopped>("t");
        using Subscription<AgentEvent.Started> started = _bus.Subscribe<AgentEvent.Started>("t");

        _bus.Publish<AgentEvent>("t", new AgentEvent.Stopped(1)).Matched.Should().Be(1);
        _bus.Publish<object>("t", new AgentEvent.Stopped(2)).Matched.Should().Be(1);
        _bus.Publish<IMarked>("t", new AgentEvent.Stopped(3)).Matched.Should().Be(1);

        stopped.ReadEvents().Select(e => e.Mark).Should().Equal(1, 2, 3);
        started.Count.Should().Be(0);
    }

    [Fact]
    public void Publish_Struct_ReachesItsTypeItsInterfacesAndObject()
    {
        using Subscription<Reading> exact = _bus.Subscribe<Reading>("t");
        using Subscription<IMarked> marked = _bus.Subscribe<IMarked>("t");
        using Subscription<object> everything = _bus.Subscribe<object>("t");
        using Subscription<ValueType> values = _bus.Subscribe<ValueType>("t");
        using Subscription<int> other = _bus.Subscribe<int>("t");

        _bus.Publish("t", new Reading(5)).Should().Be(new PublishResult(4, 0));

        exact.ReadEvents().Should().Equal(new Reading(5));
        marked.ReadEvents().Should().ContainSingle().Which.Mark.Should().Be(5);
        object boxed = everything.ReadEvents().Should().ContainSingle().Which;
        boxed.Should().Be(new Reading(5));
        values.ReadEvents().Should().ContainSingle().Which.Should().BeSameAs(boxed, "it is boxed once");
        other.Count.Should().Be(0);
    }

    [Fact]
    public void Publish_BoxedStruct_ReachesTheStructsOwnType()
    {
        using Subscription<Reading> exact = _bus.Subscribe<Reading>("t");
        using Subscription<int> numbers = _bus.Subscribe<int>("t");

        _bus.Publish<object>("t", new Reading(1)).Matched.Should().Be(1);
        _bus.Publish<IMarked>("t", new Reading(2)).Matched.Should().Be(1);
        _bus.Publish<ValueType>("t", 3).Matched.Should().Be(1);

        exact.ReadEvents().Should().Equal(new Reading(1), new Reading(2));
        numbers.ReadEvents().Should().Equal(3);
    }

    [Fact]
    public void Publish_Struct_DoesNotReachValueTypesOfTheSameShape()
    {
        using Subscription<int> numbers = _bus.Subscribe<int>("t");
        using Subscription<DayOfWeek> days = _bus.Subscribe<DayOfWeek>("t");
        using Subscription<uint> unsigned = _bus.Subscribe<uint>("t");

        _bus.Publish("t", DayOfWeek.Friday).Matched.Should().Be(1);
        _bus.Publish<object>("t", DayOfWeek.Friday).Matched.Should().Be(1);
        _bus.Publish("t", 1).Matched.Should().Be(1);

        days.ReadEvents().Should().Equal(DayOfWeek.Friday, DayOfWeek.Friday);
        numbers.ReadEvents().Should().Equal(1);
        unsigned.Count.Should().Be(0);
    }

    [Fact]
    public void Publish_TypeThatNobodyAskedFor_IsNotMatchedAndNotMissed()
    {
        using Subscription<AgentEvent.Started> started = _bus.Subscribe<AgentEvent.Started>("t", new() { Capacity = 1 });

        _bus.Publish<AgentEvent>("t", new AgentEvent.Started(1));
        _bus.Publish<AgentEvent>("t", new AgentEvent.Stopped(2)).Should().Be(default(PublishResult));

        started.Dropped.Should().Be(0);
        started.ReadWithMissed().Should().ContainSingle().Which.Missed.Should().Be(0);
    }

    [Fact]
    public void Publish_VariantInterface_IsMatchedAsTheRuntimeDoes()
    {
        using Subscription<IEnumerable<object>> objects = _bus.Subscribe<IEnumerable<object>>("t");

        _bus.Publish<IReadOnlyList<string>>("t", ["a"]).Matched.Should().Be(1);
        _bus.Publish<IReadOnlyList<int>>("t", [1]).Matched.Should().Be(0);
    }

    [Fact]
    public async Task PublishAsync_WaitingStruct_ArrivesInTheTypeThatWasAskedFor()
    {
        using Subscription<object> boxed = _bus.Subscribe<object>("t", new() { Capacity = 1 });
        using Subscription<Reading> exact = _bus.Subscribe<Reading>("t", new() { Capacity = 1 });
        _bus.Publish("t", new Reading(0));
        Task<PublishResult> waiting = _bus.PublishAsync("t", new Reading(1)).AsTask();

        boxed.ReadEvents().Should().Equal(new Reading(0), new Reading(1));
        exact.ReadEvents().Should().Equal(new Reading(0), new Reading(1));
        (await waiting.Soon()).Should().Be(new PublishResult(2, 0));
    }

    private abstract record AgentEvent(int Mark) : IMarked
    {
        public sealed record Started(int Mark) : AgentEvent(Mark);

        public sealed record Stopped(int Mark) : AgentEvent(Mark);
    }

    private readonly record struct Reading(int Mark) : IMarked;
}
