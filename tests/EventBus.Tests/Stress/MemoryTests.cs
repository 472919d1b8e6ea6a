namespace EventBus.Tests.Stress;

/// <summary>What comes and goes leaves memory where it was.</summary>
[Collection(nameof(MemoryTests))]
public sealed class MemoryTests
{
    private const int Million = 1_000_000;

    /// <summary>Far below what a million of anything would take, and above what the rest of the process does meanwhile.</summary>
    private const long Bound = 4_000_000;

    [Fact]
    public void SubscribeAndDispose_AMillionTimes_LeavesMemoryWhereItWas()
    {
        using InProcessEventBus bus = new();
        GrownBy(i =>
        {
            using Subscription<int> subscription = bus.Subscribe<int>("t");
            if (i % 16 == 0)
                bus.Publish("t", i);
        }).Should().BeLessThan(Bound);
        bus.GetSubscriptions().Should().BeEmpty();
        bus.GetStatistics().Topics.Should().Be(0);
    }

    [Fact]
    public void SubscribeAndDispose_DistinctTopicsAndPatterns_LeavesMemoryWhereItWas()
    {
        using InProcessEventBus bus = new();
        GrownBy(i =>
        {
            using Subscription<int> exact = bus.Subscribe<int>($"topic:{i}");
            if (i % 8 == 0)
            {
                using Subscription<int> pattern = bus.Subscribe<int>($"topic:{i}:*");
                bus.Publish($"topic:{i}:x", i);
            }
        }, Million / 5).Should().BeLessThan(Bound);
        bus.GetStatistics().Topics.Should().Be(0);
    }

    [Fact]
    public void Publish_ToAMillionDistinctTopics_LeavesMemoryWhereItWas()
    {
        using InProcessEventBus bus = new();
        using Subscription<int> all = bus.Subscribe<int>("topic:#", new() { Capacity = 16, Overflow = OverflowPolicy.DropOldest });
        GrownBy(i => bus.Publish($"topic:{i}", i)).Should().BeLessThan(Bound);
        bus.GetStatistics().Published.Should().BeGreaterThan(Million);
    }

    [Fact]
    public void Publish_ToDistinctTopicsWithHistory_KeepsTheBound()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("topic:#", depth: 2, maxTopics: 100));
        GrownBy(i => bus.Publish($"topic:{i}", i), Million / 5).Should().BeLessThan(Bound);
        bus.GetStatistics().HistoryTopics.Should().Be(100);
    }

    [Fact]
    public void Token_SubscriptionsThatCameAndWent_LeaveNothingRegistered()
    {
        using InProcessEventBus bus = new();
        using CancellationTokenSource lasting = new();
        GrownBy(_ => bus.Subscribe<int>("t", lasting.Token).Dispose(), Million / 5).Should().BeLessThan(Bound);
    }

    /// <summary>By how much actions grow the heap, after enough of them to fill every cache.</summary>
    private static long GrownBy(Action<int> action, int times = Million)
    {
        for (int i = -20_000; i < 0; i++)
            action(i);
        long before = Settled();
        for (int i = 0; i < times; i++)
            action(i);
        return Settled() - before;
    }

    private static long Settled()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}

/// <summary>Alone: what other tests hold meanwhile would be counted.</summary>
[CollectionDefinition(nameof(MemoryTests), DisableParallelization = true)]
public sealed class MemoryTestsAlone;
