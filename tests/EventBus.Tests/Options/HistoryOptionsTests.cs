namespace EventBus.Tests.Options;

public sealed class HistoryOptionsTests
{
    [Fact]
    public void KeepHistory_WithDefaults_KeepsWhatTheContractSays()
    {
        EventBusOptions options = new();

        options.KeepHistory("run:*").Should().BeSameAs(options);

        options.History.Should().ContainSingle().Which.Should().BeEquivalentTo(
            new { Pattern = "run:*", Depth = 500, MaxTopics = 200, MaxAge = (TimeSpan?)null });
        new HistoryRule().Should().BeEquivalentTo(new { Pattern = "", Depth = 500, MaxTopics = 200, MaxAge = (TimeSpan?)null });
    }

    [Fact]
    public void History_NullRule_SaysWhich()
    {
        EventBusOptions options = new();
        options.History.Add(null!);

        Creating(options).Should().Throw<ArgumentException>().WithMessage("*History?0? is null*");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1_048_577)]
    public void Depth_OutOfRange_NamesTheOptionItsValueAndItsRange(int depth) =>
        Creating(new EventBusOptions().KeepHistory("a", depth: depth)).Should().Throw<ArgumentException>()
            .WithMessage($"*History?0?.Depth is {depth}*1 to 1048576*");

    [Theory]
    [InlineData(0)]
    [InlineData(1_048_577)]
    public void MaxTopics_OutOfRange_NamesTheOptionItsValueAndItsRange(int maxTopics) =>
        Creating(new EventBusOptions().KeepHistory("a").KeepHistory("b", maxTopics: maxTopics)).Should().Throw<ArgumentException>()
            .WithMessage($"*History?1?.MaxTopics is {maxTopics}*1 to 1048576*");

    [Fact]
    public void LatestOnly_IsEmptyUnlessTypesAreGiven()
    {
        new HistoryRule().LatestOnly.Should().BeEmpty();
        new EventBusOptions().KeepHistory("a").History[0].LatestOnly.Should().BeEmpty();
        new EventBusOptions().KeepHistory("a", latestOnly: [typeof(int), typeof(string)]).History[0].LatestOnly.Should()
            .Equal(typeof(int), typeof(string));
    }

    [Theory]
    [InlineData(null, "LatestOnly?1? is null")]
    [InlineData(typeof(string), "LatestOnly?1? is System.String*once")]
    [InlineData(typeof(List<>), "LatestOnly?1? is System.Collections.Generic.List*open generic")]
    public void LatestOnly_TypeThatCannotBe_NamesTheOptionAndTheType(Type? type, string expected)
    {
        EventBusOptions options = new EventBusOptions().KeepHistory("a", latestOnly: [typeof(string), type!]);

        Creating(options).Should().Throw<ArgumentException>().WithMessage($"*History?0?.{expected}*");
    }

    [Fact]
    public void LatestOnly_NullOrATypeParameter_NamesTheOption()
    {
        EventBusOptions options = new EventBusOptions().KeepHistory("a");
        options.History[0].LatestOnly = [typeof(List<>).GetGenericArguments()[0]];
        Creating(options).Should().Throw<ArgumentException>().WithMessage("*History?0?.LatestOnly?0? is T*open generic*");

        options.History[0].LatestOnly = null!;
        Creating(options).Should().Throw<ArgumentException>().WithMessage("*History?0?.LatestOnly is null*");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    public void MaxAge_NotAboveZero_NamesTheOption(int seconds) =>
        Creating(new EventBusOptions().KeepHistory("a", maxAge: TimeSpan.FromSeconds(seconds))).Should().Throw<ArgumentException>()
            .WithMessage("*History?0?.MaxAge*above 0*");

    [Fact]
    public void Pattern_NotAllowed_QuotesItAndNamesTheRule()
    {
        Creating(new EventBusOptions().KeepHistory("a::b")).Should().Throw<ArgumentException>()
            .WithMessage("*History?0?.Pattern*\"a::b\"*empty*");
        Creating(new EventBusOptions().KeepHistory("")).Should().Throw<ArgumentException>().WithMessage("*Pattern*1 to 255*");
        FluentActions.Invoking(() => new EventBusOptions().KeepHistory(null!)).Should().Throw<ArgumentNullException>();
        EventBusOptions bound = new();
        bound.History.Add(new HistoryRule { Pattern = null! });
        Creating(bound).Should().Throw<ArgumentException>().WithMessage("*Pattern*");
    }

    [Fact]
    public void SeveralFaults_AreAllNamedAtOnce()
    {
        EventBusOptions options = new() { MaxSubscriptions = 0, NodeName = " " };
        options.Subscription.Capacity = 0;
        options.KeepHistory("a", depth: 0, maxTopics: 0);

        Creating(options).Should().Throw<ArgumentException>()
            .WithMessage("*NodeName*MaxSubscriptions is 0*Subscription.Capacity is 0*Depth is 0*MaxTopics is 0*");
    }

    [Fact]
    public void GreatestAndLeastValues_AreAllowed()
    {
        using InProcessEventBus most = new(
            new EventBusOptions().KeepHistory("a", depth: 1_048_576, maxTopics: 1_048_576, maxAge: TimeSpan.MaxValue));
        using InProcessEventBus least = new(
            new EventBusOptions().KeepHistory("a", depth: 1, maxTopics: 1, maxAge: TimeSpan.FromTicks(1)));

        most.Publish("a", 1);
        least.Publish("a", 1);
        least.Publish("a", 2);

        most.GetHistory<int>("a").Should().ContainSingle();
        most.GetStatistics().HistoryEvents.Should().Be(1);
        least.GetHistory<int>("a").Count.Should().BeLessThanOrEqualTo(1);
    }

    [Fact]
    public void Rules_ChangedAfterTheBusWasCreated_HaveNoEffect()
    {
        EventBusOptions options = new EventBusOptions().KeepHistory("a", depth: 2);
        using InProcessEventBus bus = new(options);
        options.History[0].Depth = 1;
        options.History[0].Pattern = "b";
        options.KeepHistory("c");

        for (int i = 0; i < 3; i++)
        {
            bus.Publish("a", i);
            bus.Publish("b", i);
            bus.Publish("c", i);
        }

        bus.GetHistory<int>("a").Select(e => e.Event).Should().Equal(1, 2);
        bus.GetHistory<int>("b").Should().BeEmpty();
        bus.GetHistory<int>("c").Should().BeEmpty();
    }

    [Fact]
    public void SeveralRules_TheFirstThatMatchesHolds()
    {
        using InProcessEventBus bus = new(
            new EventBusOptions().KeepHistory("a:1", depth: 1).KeepHistory("a:*", depth: 2).KeepHistory("#", depth: 3));

        foreach (string topic in new[] { "a:1", "a:2", "b" })
        {
            for (int i = 0; i < 5; i++)
                bus.Publish(topic, i);
        }

        bus.GetHistory<int>("a:1").Select(e => e.Event).Should().Equal(4);
        bus.GetHistory<int>("a:2").Select(e => e.Event).Should().Equal(3, 4);
        bus.GetHistory<int>("b").Select(e => e.Event).Should().Equal(2, 3, 4);
        bus.GetStatistics().Should().BeEquivalentTo(new { HistoryTopics = 3, HistoryEvents = 6L });
    }

    [Fact]
    public void Replay_NegativeNumbers_AreRefusedAndTheRestShowsWhatItIs()
    {
        FluentActions.Invoking(() => Replay.Last(-1)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Replay.After(-1)).Should().Throw<ArgumentOutOfRangeException>();
        default(Replay).Should().Be(Replay.None);
        Replay.None.ToString().Should().Be("None");
        Replay.All.ToString().Should().Be("All");
        Replay.Last(3).ToString().Should().Be("Last(3)");
        Replay.After(7).ToString().Should().Be("After(7)");
        Replay.Last(3).Should().Be(Replay.Last(3)).And.NotBe(Replay.After(3));
    }

    private static Action Creating(EventBusOptions options) => () => new InProcessEventBus(options).Dispose();
}
