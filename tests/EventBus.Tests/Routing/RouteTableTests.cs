using EventBus.Delivery;
using EventBus.Routing;

namespace EventBus.Tests.Routing;

/// <summary>Who joins or leaves drops the routes it concerns, and no others.</summary>
public sealed class RouteTableTests : IDisposable
{
    private readonly RoutingRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData("a:*")]
    [InlineData("a:#")]
    [InlineData("*:1")]
    [InlineData("a:1")]
    public void JoinAndLeave_OfAPattern_KeepTheRoutesOfTopicsItDoesNotMatch(string pattern)
    {
        SubscriberChannel<int> other = _rig.Join("b:*");
        TopicRoute kept = _rig.Table.Get("b:2"), unheard = _rig.Table.Get("c");
        _rig.MembersOf("a:1").Should().BeEmpty();

        SubscriberChannel<int> first = _rig.Join(pattern);
        ShouldBeDropped("a:1");
        _rig.MembersOf("a:1").Should().Equal(first);
        TopicRoute shared = _rig.Table.Get("a:1");
        SubscriberChannel<int> second = _rig.Join(pattern);
        _rig.Table.Get("a:1").Should().BeSameAs(shared, "it joins a group that the route has");
        _rig.MembersOf("a:1").Should().BeEquivalentTo(new[] { first, second });
        RoutingRig.Leave(first);
        _rig.Table.Get("a:1").Should().BeSameAs(shared, "the group has a member left");
        _rig.MembersOf("a:1").Should().Equal(second);
        RoutingRig.Leave(second);
        ShouldBeDropped("a:1");
        _rig.MembersOf("a:1").Should().BeEmpty();

        _rig.Table.Get("b:2").Should().BeSameAs(kept);
        _rig.MembersOf("b:2").Should().Equal(other);
        _rig.Table.Get("c").Should().BeSameAs(unheard);
    }

    [Theory]
    [InlineData(NewPatterns.Kept - 1)]
    [InlineData(NewPatterns.Kept)]
    [InlineData(NewPatterns.Kept + 1)]
    [InlineData(5 * NewPatterns.Kept)]
    public void Join_OfManyNewPatterns_IsSeenByARouteThatWasNotUsedMeanwhile(int count)
    {
        foreach (int matching in new[] { 0, count / 2, count - 1 })
        {
            string topic = $"t:{matching}";
            _rig.MembersOf(topic).Should().BeEmpty();
            SubscriberChannel<int>[] joined =
                [.. Enumerable.Range(0, count).Select(i => _rig.Join(i == matching ? "t:*" : $"other:{i}:*"))];

            _rig.MembersOf(topic).Should().Equal(joined[matching]);

            foreach (SubscriberChannel<int> channel in joined)
                RoutingRig.Leave(channel);
        }
    }

    [Fact]
    public void Join_OfNewPatternsBetweenUses_KeepsTheRouteHoweverManyThereAreInAll()
    {
        TopicRoute route = _rig.Table.Get("t");

        for (int i = 0; i < 10 * NewPatterns.Kept; i++)
        {
            _rig.Join($"other:{i}:*");
            _rig.Table.Get("t").Should().BeSameAs(route);
        }
    }

    [Fact]
    public void Routes_WithTheMembersOfOnePatternOnly_ShareTheirList()
    {
        SubscriberChannel<int> all = _rig.Join("#");
        TopicRoute a = _rig.Table.Get("a"), b = _rig.Table.Get("b");
        a.Groups.Should().BeSameAs(b.Groups);

        SubscriberChannel<object> other = _rig.Create<object>("#");
        _rig.Registry.Join(other);

        RoutingRig.MembersOf(a).Should().Equal([all], "a publish that has it may still be walking it");
        _rig.MembersOf("a").Should().BeEquivalentTo(new SubscriberChannel[] { all, other });
        _rig.Table.Get("a").Groups.Should().BeSameAs(_rig.Table.Get("b").Groups);
    }

    [Fact]
    public void Leave_OfARouteThatMadeRoomMeanwhile_FindsItGone()
    {
        SubscriberChannel<int> some = _rig.Join("t:#");
        for (int i = 0; i < 3 * RouteCache.MaxRoutes; i++)
            _rig.MembersOf($"t:{i}").Should().HaveCount(1);

        RoutingRig.Leave(some);

        for (int i = 0; i < 3 * RouteCache.MaxRoutes; i++)
            _rig.MembersOf($"t:{i}").Should().BeEmpty();
    }

    [Fact]
    public void OwnTopics_AreCachedApartFromTheUsers()
    {
        SubscriberChannel<int> own = _rig.Join("$bus:*");
        TopicRoute lagging = _rig.Table.GetOwn("$bus:lagging");
        RoutingRig.MembersOf(lagging).Should().Equal(own);

        for (int i = 0; i < 2 * RouteCache.MaxRoutes; i++)
            _rig.Table.Get($"t:{i}");
        _rig.Join("#");
        _rig.Join("lagging");

        _rig.Table.GetOwn("$bus:lagging").Should().BeSameAs(lagging);
        _rig.Table.TryGet("$bus:lagging", out _).Should().BeFalse("a user's publish must not find it");
        FluentActions.Invoking(() => _rig.Publish("$bus:lagging", 1)).Should().Throw<ArgumentException>();
        foreach (string pattern in (string[])["$bus:*", "$bus:#", "$bus:lagging"])
        {
            SubscriberChannel<int> joined = _rig.Join(pattern);
            RoutingRig.MembersOf(_rig.Table.GetOwn("$bus:lagging")).Should().BeEquivalentTo(new[] { own, joined });
            RoutingRig.Leave(joined);
            RoutingRig.MembersOf(_rig.Table.GetOwn("$bus:lagging")).Should().Equal(own);
        }
    }

    [Fact]
    public void OwnTopics_ThatUsersAskAbout_PushOutNone()
    {
        TopicRoute lagging = _rig.Table.GetOwn("$bus:lagging");
        for (int i = 0; i < 2 * RouteCache.MaxRoutes; i++)
            _rig.MembersOf($"$bus:{i}").Should().BeEmpty();
        _rig.Table.GetOwn("$bus:lagging").Should().BeSameAs(lagging);
    }

    [Fact]
    public void PublishOwn_NobodyHears_MakesNoEvent()
    {
        bool made = false;
        Publish();
        made.Should().BeFalse();

        _rig.Registry.Join(_rig.Create<BusEvent>("$bus:#"));
        Publish();
        made.Should().BeTrue();

        void Publish() => _rig.Router.PublishOwn(
            BusEvent.LaggingTopic,
            7,
            from =>
            {
                made = true;
                return new BusEvent.SubscriberLagging(from, null, [], "t", OverflowPolicy.Wait, 1, 1);
            });
    }

    [Fact]
    public void PublishOwn_NoMemoryForTheEvent_DoesNotThrow()
    {
        _rig.Registry.Join(_rig.Create<BusEvent>("$bus:#"));
        FluentActions.Invoking(() => _rig.Router.PublishOwn<BusEvent.SubscriberLagging, int>(
            BusEvent.LaggingTopic, 7, _ => throw new InsufficientMemoryException())).Should().NotThrow();
    }

    private void ShouldBeDropped(string topic) => _rig.Table.TryGet(topic, out _).Should().BeFalse(topic);
}
