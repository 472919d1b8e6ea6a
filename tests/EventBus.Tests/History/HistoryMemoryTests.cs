using System.Runtime.CompilerServices;

namespace EventBus.Tests.History;

[Collection(nameof(AloneCollection))]
public sealed class HistoryMemoryTests
{
    private static readonly object Thing = new();

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(500)]
    [InlineData(1000)]
    public void Publish_ToAFullHistory_AllocatesNothing(int depth)
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a", depth: depth));
        using Subscription<object> listener = bus.Subscribe<object>("#", new() { Capacity = 8, Overflow = OverflowPolicy.DropOldest });
        Repeat(bus, (depth * 3) + 5_000);

        Memory.AllocatedBy(() => Repeat(bus, 10_000)).Should().Be(0);
    }

    [Fact]
    public void TakingAReplay_IsACutAndNotACopy()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("shallow", depth: 1_000).KeepHistory("deep", depth: 200_000));
        for (int i = 0; i < 400_000; i++)
        {
            bus.Publish("shallow", Thing);
            bus.Publish("deep", Thing);
        }

        SubscribeAndDispose(bus, "shallow");
        SubscribeAndDispose(bus, "deep");
        long shallow = Memory.AllocatedBy(() => SubscribeAndDispose(bus, "shallow"));
        long deep = Memory.AllocatedBy(() => SubscribeAndDispose(bus, "deep"));

        // 199,000 events more, of which each is 32 bytes; a reference for each segment is all that may be added.
        (deep - shallow).Should().BeLessThan(20_000);
    }

    [Fact]
    public void Complete_AMillionTopicsThatNeverHadAnything_HoldsNoMemory()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("kept:#", maxTopics: 1_048_576));
        CompleteMany(bus, 20_000);
        long before = Memory.Held();

        CompleteMany(bus, 1_000_000).Should().Be(0);

        (Memory.Held() - before).Should().BeLessThan(4_000_000);
        bus.GetStatistics().HistoryTopics.Should().Be(0);
    }

    [Fact]
    public void Publish_ToAnyNumberOfTopics_HoldsNoMoreThanDepthTimesTopics()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("#", depth: 4, maxTopics: 100));
        Spread(bus, 20_000);
        long before = Memory.Held();

        Spread(bus, 300_000);

        (Memory.Held() - before).Should().BeLessThan(4_000_000);
        bus.GetStatistics().Should().BeEquivalentTo(new { HistoryTopics = 100, HistoryEvents = 100L });
    }

    [Fact]
    public void EvictedForgottenOrExpired_Events_AreLetGoOf()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("#", depth: 3, maxTopics: 2));

        WeakReference pushedOut = PublishNew(bus, "a");
        PublishNew(bus, "a");
        WeakReference kept = PublishNew(bus, "a");
        PublishNew(bus, "a");
        WeakReference forgotten = PublishNew(bus, "b");
        bus.Forget("b");
        WeakReference evicted = PublishNew(bus, "c");
        PublishNew(bus, "a");
        PublishNew(bus, "d");
        Memory.Collect();

        kept.IsAlive.Should().BeTrue();
        pushedOut.IsAlive.Should().BeFalse();
        forgotten.IsAlive.Should().BeFalse();
        evicted.IsAlive.Should().BeFalse();
    }

    [Fact]
    public void SlowReplay_Unread_KeepsItsOwnEventsButNotWhatCameLater()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a", depth: 100));
        WeakReference[] first = PublishNew(bus, "a", 100);
        using Subscription<object> slow = bus.Subscribe<object>(
            "a", new() { Replay = Replay.All, Capacity = 1, Overflow = OverflowPolicy.DropOldest });
        WeakReference[] later = PublishNew(bus, "a", 1_000);

        Memory.Collect();

        first.Should().OnlyContain(w => w.IsAlive, "they are still to be read");
        later[..^100].Count(w => w.IsAlive).Should().BeLessThan(16, "only the rest of the one segment that both share may be kept");
        Drain(slow, 101);
        Memory.Collect();
        first.Should().OnlyContain(w => !w.IsAlive, "what was read is let go of");
        slow.Count.Should().Be(0);
    }

    [Theory]
    [InlineData("a", true)]
    [InlineData("a", false)]
    [InlineData("#", true)]
    [InlineData("#", false)]
    public void PushedOut_AfterAReplayHadSharedIt_IsLetGoOf(string pattern, bool isRead)
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a", depth: 100));
        WeakReference[] published = PublishNew(bus, "a", 100);
        using Subscription<object> replayed = bus.Subscribe<object>(pattern, new() { Replay = Replay.All, Capacity = 1 });
        if (isRead)
            Drain(replayed, 100);
        else
            replayed.Dispose();

        PublishNew(bus, "a", 5);
        Memory.Collect();

        published[..5].Should().OnlyContain(w => !w.IsAlive, "no segment that was shared keeps what history has let go of");
        published[5..].Should().OnlyContain(w => w.IsAlive);
    }

    [Fact]
    public void FilteredReplay_HalfRead_LetsGoOfWhatWasRead()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a", depth: 100));
        WeakReference[] published = PublishNew(bus, "a", 99);
        bus.Publish("a", "another type");
        using Subscription<Exact> half = bus.Subscribe<Exact>("a", new() { Replay = Replay.All });
        bus.Forget("a");

        ReadSome(half, 50);
        Memory.Collect();

        published[..50].Should().OnlyContain(w => !w.IsAlive);
        published[50..].Should().OnlyContain(w => w.IsAlive, "they are still to be read");
    }

    [Fact]
    public void Publish_OfALatestOnlyType_AllocatesNothing()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a", latestOnly: [typeof(string), typeof(Exact)]));
        Exact progress = new();
        bus.Publish("a", progress);

        Memory.AllocatedBy(() =>
        {
            for (int i = 0; i < 10_000; i++)
                bus.Publish("a", progress);
        }).Should().Be(0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ReadSome(Subscription<Exact> subscription, int count)
    {
        for (int i = 0; i < count; i++)
            subscription.Reader.TryRead(out _).Should().BeTrue();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drain(Subscription<object> subscription, int expected) => subscription.ReadQueued().Should().HaveCount(expected);

    private static void Repeat(InProcessEventBus bus, int times)
    {
        for (int i = 0; i < times; i++)
            bus.Publish("a", Thing);
    }

    private static void SubscribeAndDispose(InProcessEventBus bus, string topic) =>
        bus.Subscribe<object>(topic, new() { Replay = Replay.All }).Dispose();

    private static int CompleteMany(InProcessEventBus bus, int count)
    {
        int ended = 0;
        for (int i = 0; i < count; i++)
            ended += bus.Complete(i % 2 == 0 ? $"kept:{i}" : $"free:{i}") ? 1 : 0;
        return ended;
    }

    private static void Spread(InProcessEventBus bus, int topics)
    {
        for (int i = 0; i < topics; i++)
            bus.Publish($"t:{i}", Thing);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference PublishNew(InProcessEventBus bus, string topic)
    {
        Exact @event = new();
        bus.Publish(topic, @event);
        return new WeakReference(@event);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference[] PublishNew(InProcessEventBus bus, string topic, int count)
    {
        WeakReference[] published = new WeakReference[count];
        for (int i = 0; i < count; i++)
            published[i] = PublishNew(bus, topic);
        return published;
    }

    private sealed class Exact;
}
