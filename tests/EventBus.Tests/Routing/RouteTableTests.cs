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
        _rig.Table.Get("a:1").Members.Should().BeEmpty();

        SubscriberChannel<int> first = _rig.Join(pattern);
        ShouldBeDropped("a:1");
        _rig.Table.Get("a:1").Members.Should().Equal(first);
        SubscriberChannel<int> second = _rig.Join(pattern);
        ShouldBeDropped("a:1");
        _rig.Table.Get("a:1").Members.Should().BeEquivalentTo(new[] { first, second });
        _rig.Registry.Leave(first);
        ShouldBeDropped("a:1");
        _rig.Table.Get("a:1").Members.Should().Equal(second);
        _rig.Registry.Leave(second);
        ShouldBeDropped("a:1");
        _rig.Table.Get("a:1").Members.Should().BeEmpty();

        _rig.Table.Get("b:2").Should().BeSameAs(kept);
        _rig.Table.Get("b:2").Members.Should().Equal(other);
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
            _rig.Table.Get(topic).Members.Should().BeEmpty();
            SubscriberChannel<int>[] joined =
                [.. Enumerable.Range(0, count).Select(i => _rig.Join(i == matching ? "t:*" : $"other:{i}:*"))];

            _rig.Table.Get(topic).Members.Should().Equal(joined[matching]);

            foreach (SubscriberChannel<int> channel in joined)
                _rig.Registry.Leave(channel);
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
        a.Members.Should().BeSameAs(b.Members);

        SubscriberChannel<int> again = _rig.Join("#");

        a.Members.Should().Equal([all], "a publish that has it may still be walking it");
        _rig.Table.Get("a").Members.Should().BeEquivalentTo(new[] { all, again });
        _rig.Table.Get("a").Members.Should().BeSameAs(_rig.Table.Get("b").Members);
    }

    [Fact]
    public void Leave_OfARouteThatMadeRoomMeanwhile_FindsItGone()
    {
        SubscriberChannel<int> some = _rig.Join("t:#");
        for (int i = 0; i < 3 * RouteCache.MaxRoutes; i++)
            _rig.Table.Get($"t:{i}").Members.Should().HaveCount(1);

        _rig.Registry.Leave(some);

        for (int i = 0; i < 3 * RouteCache.MaxRoutes; i++)
            _rig.Table.Get($"t:{i}").Members.Should().BeEmpty();
    }

    [Fact]
    public void OwnTopics_AreCachedApartFromTheUsers()
    {
        SubscriberChannel<int> own = _rig.Join("$bus:*");
        TopicRoute lagging = _rig.Table.GetOwn("$bus:lagging");
        lagging.Members.Should().Equal(own);

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
            _rig.Table.GetOwn("$bus:lagging").Members.Should().BeEquivalentTo(new[] { own, joined });
            _rig.Registry.Leave(joined);
            _rig.Table.GetOwn("$bus:lagging").Members.Should().Equal(own);
        }
    }

    [Fact]
    public void OwnTopics_ThatUsersAskAbout_PushOutNone()
    {
        TopicRoute lagging = _rig.Table.GetOwn("$bus:lagging");
        for (int i = 0; i < 2 * RouteCache.MaxRoutes; i++)
            _rig.Table.Get($"$bus:{i}").Members.Should().BeEmpty();
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
