using System.Runtime.CompilerServices;

namespace EventBus.Tests.Routing;

/// <summary>What left is let go of at once: by arrays, cached routes, tries and sets.</summary>
[Collection(nameof(AloneCollection))]
public sealed class NothingKeptTests
{
    [Theory]
    [InlineData("a:b")]
    [InlineData("a:*")]
    [InlineData("#")]
    [InlineData("a:b x y")]
    [InlineData("a:b *:b z")]
    public void Dispose_RouteCached_NothingKeepsTheChannelOrItsEvents(string patterns)
    {
        using InProcessEventBus bus = new();
        using Subscription<object> stays = bus.Subscribe<object>("a:b");

        WeakReference[] left = SubscribePublishAndDispose(bus, patterns.Split(' '));
        stays.ReadQueued();
        Memory.Collect();

        left.Should().OnlyContain(w => !w.IsAlive);
        bus.Publish("a:b", new object()).Matched.Should().Be(1);
    }

    [Fact]
    public void Complete_RouteCachedAndEverythingRead_NothingKeepsTheChannel()
    {
        using InProcessEventBus bus = new();

        WeakReference channel = SubscribeCompleteAndRead(bus);
        Memory.Collect();

        channel.IsAlive.Should().BeFalse();
        bus.GetStatistics().Delivered.Should().Be(1, "its counts are kept without it");
    }

    [Fact]
    public void Publish_AMillionDistinctTopics_LeavesMemoryWhereItWas()
    {
        using InProcessEventBus bus = new();
        using Subscription<int> some = bus.Subscribe<int>("t:5:#", new() { Overflow = OverflowPolicy.DropOldest, Capacity = 4 });
        PublishDistinct(bus, 0, 20_000);
        long before = Memory.Held();

        PublishDistinct(bus, 20_000, 1_000_000);

        (Memory.Held() - before).Should().BeLessThan(4_000_000, "8,192 routes are all that may be kept");
    }

    [Fact]
    public void Publish_RoutesDroppedAgainAndAgain_LeavesMemoryWhereItWas()
    {
        using InProcessEventBus bus = new();
        using Subscription<int> all = bus.Subscribe<int>("#", new() { Overflow = OverflowPolicy.DropOldest, Capacity = 4 });
        JoinAndPublish(bus, 100);
        long before = Memory.Held();

        JoinAndPublish(bus, 10_000);

        (Memory.Held() - before).Should().BeLessThan(500_000, "what stays must not remember the routes it was in");
    }

    [Fact]
    public void Publish_AsManyTopicsAsAreCachedToManySubscribersOfOnePattern_KeepsOneListOfThem()
    {
        using InProcessEventBus bus = new();
        List<Subscription<int>> many = [.. Enumerable.Range(0, 1_000).Select(_ => bus.Subscribe<int>("#"))];
        bus.HasSubscribers("first").Should().BeTrue();
        long before = Memory.Held();

        for (int i = 0; i < 8_000; i++)
            bus.HasSubscribers($"t:{i}").Should().BeTrue();

        (Memory.Held() - before).Should().BeLessThan(8_000_000, "a list for each would be 64 MB");
        many.ForEach(s => s.Dispose());
    }

    [Fact]
    public void SubscribeAndDispose_AMillionTimes_LeavesMemoryWhereItWas()
    {
        using InProcessEventBus bus = new();
        Cycle(bus, 10_000);
        long before = Memory.Held();

        Cycle(bus, 1_000_000);

        (Memory.Held() - before).Should().BeLessThan(1_000_000);
        bus.GetStatistics().Should().BeEquivalentTo(new { Topics = 0, Subscriptions = 0, Queued = 0L });
        bus.HasSubscribers("a:1").Should().BeFalse();
    }

    [Fact]
    public void Dispose_LastOfAHundredThousandTopicsAndPatterns_ReturnsTheMemory()
    {
        using InProcessEventBus bus = new();
        JoinMany(bus, 1_000);
        long before = Memory.Held();

        JoinMany(bus, 100_000);

        (Memory.Held() - before).Should().BeLessThan(2_000_000);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference[] SubscribePublishAndDispose(InProcessEventBus bus, string[] patterns)
    {
        Subscription<object> leaves = bus.Subscribe<object>(patterns);
        object queued = new();
        bus.Publish("a:b", queued).Matched.Should().Be(2);
        bus.Publish("a:b", new object()).Matched.Should().Be(2);
        leaves.Dispose();
        return [new(leaves.Channel), new(leaves)];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference SubscribeCompleteAndRead(InProcessEventBus bus)
    {
        Subscription<object> ends = bus.Subscribe<object>("a");
        bus.Publish("a", new object());
        bus.Complete("a").Should().BeTrue();
        ends.ReadQueued().Should().ContainSingle();
        return new WeakReference(ends.Channel);
    }

    private static void PublishDistinct(InProcessEventBus bus, int from, int to)
    {
        for (int i = from; i < to; i++)
            bus.Publish($"t:{i % 10}:{i}", i);
    }

    private static void JoinAndPublish(InProcessEventBus bus, int times)
    {
        for (int i = 0; i < times; i++)
        {
            using Subscription<int> comes = bus.Subscribe<int>("t:*");
            for (int topic = 0; topic < 20; topic++)
                bus.Publish($"t:{topic}", i).Matched.Should().Be(2);
        }
    }

    private static void Cycle(InProcessEventBus bus, int times)
    {
        for (int i = 0; i < times; i++)
        {
            string pattern = (i % 4) switch { 0 => $"a:{i}", 1 => "a:1", 2 => $"a:{i}:*", _ => "#" };
            bus.Subscribe<int>(pattern).Dispose();
        }
    }

    private static void JoinMany(InProcessEventBus bus, int count)
    {
        Subscription<int>[] many = [.. Enumerable.Range(0, count).Select(i => bus.Subscribe<int>(i % 2 == 0 ? $"x:{i}" : $"y:{i}:#"))];
        bus.GetStatistics().Subscriptions.Should().Be(count);
        foreach (Subscription<int> subscription in many)
            subscription.Dispose();
        bus.GetStatistics().Subscriptions.Should().Be(0);
    }
}
