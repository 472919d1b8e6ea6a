using System.Runtime.CompilerServices;
using EventBus.Testing;

namespace EventBus.Tests.History;

/// <summary>What is too old is let go of without being asked for. Nothing here asks: looking at history would let go of it, too.</summary>
[Collection(nameof(AloneCollection))]
public sealed class ExpiryTests
{
    private readonly FakeTimeProvider _clock = new();

    [Theory]
    [InlineData(1, 10)]
    [InlineData(40, 10)]
    [InlineData(3_600, 900)]
    public void MaxAge_NobodyAsks_LetsGoWithinAQuarterOfTheAgeOrTenSeconds(int age, int slack)
    {
        using InProcessEventBus bus = New(TimeSpan.FromSeconds(age));
        WeakReference[] early = Publish(bus, "a", 20);
        _clock.Advance(TimeSpan.FromSeconds(age / 2.0));
        WeakReference[] late = Publish(bus, "a", 20);
        WeakReference[] other = Publish(bus, "b", 1);

        _clock.Advance(TimeSpan.FromSeconds((age / 2.0) + slack));
        Memory.Collect();
        early.Should().OnlyContain(w => !w.IsAlive);
        _clock.Advance(TimeSpan.FromSeconds(age / 2.0));
        Memory.Collect();

        late.Concat(other).Should().OnlyContain(w => !w.IsAlive);
        _clock.ScheduledTimers.Should().Be(0, "nothing is left that grows too old");
        bus.GetStatistics().Should().BeEquivalentTo(new { HistoryTopics = 2, HistoryEvents = 0L });
    }

    [Fact]
    public void MaxAge_OfEachRule_IsKeptByItself()
    {
        using InProcessEventBus bus = new(
            new EventBusOptions().KeepHistory("slow", maxAge: TimeSpan.FromDays(10)).KeepHistory("fast", maxAge: TimeSpan.FromSeconds(1)),
            timeProvider: _clock);
        WeakReference[] slow = Publish(bus, "slow", 1);
        WeakReference[] fast = Publish(bus, "fast", 1);

        _clock.Advance(TimeSpan.FromSeconds(11));
        Memory.Collect();

        fast.Should().OnlyContain(w => !w.IsAlive);
        slow.Should().OnlyContain(w => w.IsAlive);
        _clock.Advance(TimeSpan.FromDays(13));
        Memory.Collect();
        slow.Should().OnlyContain(w => !w.IsAlive);
    }

    [Fact]
    public void MaxAge_MoreThanOneHoldTakes_IsLetGoOfEntirely()
    {
        using InProcessEventBus bus = New(TimeSpan.FromSeconds(1), depth: 5_000);
        WeakReference[][] published =
            [Publish(bus, "deep", 5_000), .. Enumerable.Range(0, 3_000).Select(i => Publish(bus, $"t:{i}", 1))];

        _clock.Advance(TimeSpan.FromSeconds(11));
        Memory.Collect();

        published.SelectMany(p => p).Should().OnlyContain(w => !w.IsAlive);
        bus.GetStatistics().Should().BeEquivalentTo(new { HistoryTopics = 3_001, HistoryEvents = 0L });
    }

    [Fact]
    public void Timer_IsScheduledOnlyWhileSomethingGrowsTooOld()
    {
        InProcessEventBus bus = new(
            new EventBusOptions().KeepHistory("a", maxAge: TimeSpan.FromSeconds(1)).KeepHistory("b"), timeProvider: _clock);
        _clock.ScheduledTimers.Should().Be(0);
        bus.Publish("b", 1);
        _clock.ScheduledTimers.Should().Be(0, "that is kept for ever");
        bus.Publish("a", 1);
        bus.Publish("a", 2);
        _clock.ScheduledTimers.Should().Be(1);
        _clock.Advance(TimeSpan.FromSeconds(11));
        _clock.ScheduledTimers.Should().Be(0);
        bus.Publish("a", 3);
        _clock.ScheduledTimers.Should().Be(1);

        bus.Dispose();

        _clock.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public void Bus_ThatNobodyHoldsOrDisposed_IsNotKeptByItsTimer()
    {
        (WeakReference bus, WeakReference @event) = Abandon();
        _clock.ScheduledTimers.Should().Be(1);

        Memory.Collect();

        bus.IsAlive.Should().BeFalse();
        @event.IsAlive.Should().BeFalse("its history goes with it");
        _clock.Advance(TimeSpan.FromDays(1));
        _clock.ScheduledTimers.Should().Be(0);

        [MethodImpl(MethodImplOptions.NoInlining)]
        (WeakReference Bus, WeakReference Event) Abandon()
        {
            InProcessEventBus abandoned = New(TimeSpan.FromSeconds(1));
            return (new WeakReference(abandoned), Publish(abandoned, "a", 1)[0]);
        }
    }

    [Fact]
    public void Replay_OfATopicWhoseEventsExpireMeanwhile_HasThemAllTheSame()
    {
        using InProcessEventBus bus = New(TimeSpan.FromSeconds(1));
        bus.PublishNumbers("a", 1, 40);
        using Subscription<int> slow = bus.SubscribeWith("a", Replay.All);
        _clock.Advance(TimeSpan.FromSeconds(11));

        slow.ReadEvents().Should().Equal(HistoryCalls.Numbers(1, 40));
        bus.HistoryOf("a").Should().BeEmpty();
    }

    [Fact]
    public void Expired_WhichAReplayShared_IsLetGoOfOnceThatIsRead()
    {
        using InProcessEventBus bus = New(TimeSpan.FromSeconds(1), depth: 100);
        WeakReference[] published = Publish(bus, "a", 90);
        using Subscription<object> replayed = bus.Subscribe<object>("a", new() { Replay = Replay.All });
        Drain(replayed, 90);

        _clock.Advance(TimeSpan.FromSeconds(11));
        Memory.Collect();

        published.Should().OnlyContain(w => !w.IsAlive);
    }

    private InProcessEventBus New(TimeSpan maxAge, int depth = 100) =>
        new(new EventBusOptions().KeepHistory("#", depth, maxTopics: 10_000, maxAge), timeProvider: _clock);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drain(Subscription<object> subscription, int expected) => subscription.ReadQueued().Should().HaveCount(expected);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference[] Publish(InProcessEventBus bus, string topic, int count)
    {
        WeakReference[] published = new WeakReference[count];
        for (int i = 0; i < count; i++)
        {
            object @event = new();
            bus.Publish(topic, @event);
            published[i] = new WeakReference(@event);
        }

        return published;
    }
}
