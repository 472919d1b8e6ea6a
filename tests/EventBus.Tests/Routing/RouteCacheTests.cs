using EventBus.Routing;

namespace EventBus.Tests.Routing;

public sealed class RouteCacheTests
{
    private static readonly object Thing = new();

    [Fact]
    public void Add_FarMoreThanTheBound_KeepsNoMoreThanTheBound()
    {
        RouteCache cache = new();
        string[] topics = [.. Enumerable.Range(0, 3 * RouteCache.MaxRoutes).Select(i => $"t:{i}")];

        foreach (string topic in topics)
        {
            cache.Add(topic, new TopicRoute(topic, [], historyRule: -1));
            cache.TryGet(topic, out _).Should().BeTrue("what was added last is never what is dropped for it");
        }

        int kept = topics.Count(t => cache.TryGet(t, out _));
        RouteCache.MaxRoutes.Should().Be(8192, "the contract says so");
        kept.Should().BeInRange(RouteCache.MaxRoutes / 2, RouteCache.MaxRoutes);
    }

    [Fact]
    public void Add_WhenFull_DropsWhatIsNotUsedBeforeWhatIs()
    {
        RouteCache cache = new();
        string[] used = [.. Enumerable.Range(0, 100).Select(i => $"used:{i}")];
        foreach (string topic in used)
            cache.Add(topic, new TopicRoute(topic, [], historyRule: -1));

        // The first time everything counts as used, as all of it is new; from then on use tells them apart.
        for (int i = 0; i < RouteCache.MaxRoutes; i++)
            cache.Add($"first:{i}", new TopicRoute($"first:{i}", [], historyRule: -1));
        string[] kept = [.. used.Where(t => cache.TryGet(t, out _))];
        for (int i = 0; i < RouteCache.MaxRoutes / 4; i++)
            cache.Add($"second:{i}", new TopicRoute($"second:{i}", [], historyRule: -1));

        kept.Should().NotBeEmpty();
        kept.Should().OnlyContain(t => Knows(cache, t));
    }

    [Fact]
    public void Remove_LetsGoOfTheRouteAlsoWhereItWasUsedLast()
    {
        RouteCache cache = new();
        cache.Add("a", new TopicRoute("a", [], historyRule: -1));
        cache.TryGet("a", out _).Should().BeTrue();

        cache.Remove("a");
        cache.Remove("a");

        cache.TryGet("a", out TopicRoute? route).Should().BeFalse();
        route.Should().BeNull();
        TopicRoute next = new("a", [], historyRule: 0);
        cache.Add("a", next);
        cache.TryGet("a", out route).Should().BeTrue();
        route.Should().BeSameAs(next);
    }

    [Fact]
    public void Publish_ToAsManyTopicsAsAreCached_AllocatesNothing()
    {
        using InProcessEventBus bus = new();
        using Subscription<object> all = bus.Subscribe<object>("#", new() { Capacity = 16, Overflow = OverflowPolicy.DropOldest });
        string[] topics = [.. Enumerable.Range(0, RouteCache.MaxRoutes).Select(i => $"t:{i}")];
        PublishToAll(bus, topics);
        PublishToAll(bus, topics);

        Memory.AllocatedBy(() => PublishToAll(bus, topics)).Should().Be(0, "all {0} routes are still cached", topics.Length);

        all.Count.Should().Be(16);
    }

    [Fact]
    public void Publish_ToMoreTopicsThanAreCached_StillReachesEverybody()
    {
        using InProcessEventBus bus = new();
        using Subscription<object> all = bus.Subscribe<object>("t:*", new() { Capacity = 16, Overflow = OverflowPolicy.DropOldest });
        using Subscription<object> one = bus.Subscribe<object>("t:7");

        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < 20_000; i++)
                bus.Publish($"t:{i}", Thing).Matched.Should().Be(i == 7 ? 2 : 1);
        }

        one.Count.Should().Be(2);
    }

    [Fact]
    public void Publish_RouteCachedBeforeAJoinAndALeave_IsNeverStale()
    {
        using InProcessEventBus bus = new();
        bus.Publish("a:b", 1).Matched.Should().Be(0);

        foreach (string pattern in new[] { "a:b", "a:*", "#", "a:#:b" })
        {
            Subscription<int> subscription = bus.Subscribe<int>(pattern);
            bus.Publish("a:b", 2).Matched.Should().Be(1, "{0} joined", pattern);
            bus.Publish("a:b", 3).Matched.Should().Be(1);
            subscription.Dispose();
            bus.Publish("a:b", 4).Matched.Should().Be(0, "{0} left", pattern);
        }
    }

    private static bool Knows(RouteCache cache, string topic) => cache.TryGet(topic, out _);

    private static void PublishToAll(InProcessEventBus bus, string[] topics)
    {
        foreach (string topic in topics)
            bus.Publish(topic, Thing);
    }
}
