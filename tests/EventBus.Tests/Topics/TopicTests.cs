namespace EventBus.Tests.Topics;

public sealed class TopicTests
{
    private abstract record Animal;

    private sealed record Cat : Animal;

    [Theory]
    [InlineData("a")]
    [InlineData("agent:events:Worker-1")]
    [InlineData("a*b")]
    [InlineData("C#")]
    [InlineData("**:##:*#:#*")]
    [InlineData(" : ")]
    [InlineData("é:日本:🦊")]
    [InlineData("$bus:lagging")]
    [InlineData("a:$b")]
    public void IsValid_OrdinaryTopic_IsTrue(string topic) => Topic.IsValid(topic).Should().BeTrue();

    [Theory]
    [InlineData("")]
    [InlineData(":")]
    [InlineData("a::b")]
    [InlineData(":a")]
    [InlineData("a:")]
    [InlineData("*")]
    [InlineData("#")]
    [InlineData("a:*")]
    [InlineData("#:a")]
    [InlineData("a:*:b")]
    [InlineData("a\nb")]
    [InlineData("a:\0")]
    [InlineData("\u007f")]
    [InlineData("a\u0085b")]
    public void IsValid_BadTopic_IsFalseAndTypedTopicRefusesIt(string topic)
    {
        Topic.IsValid(topic).Should().BeFalse();
        FluentActions.Invoking(() => new Topic<int>(topic)).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void IsValid_Null_IsFalse() => Topic.IsValid(null!).Should().BeFalse();

    [Fact]
    public void IsValid_LongestAndOneMore_ChangesAtTheLimit()
    {
        Topic.MaxLength.Should().Be(255);
        Topic.IsValid(new string('a', 255)).Should().BeTrue();
        Topic.IsValid(new string('a', 256)).Should().BeFalse();

        // Characters are UTF-16: a fox is two.
        Topic.IsValid(string.Concat(Enumerable.Repeat("🦊", 127)) + "a").Should().BeTrue();
        Topic.IsValid(string.Concat(Enumerable.Repeat("🦊", 128))).Should().BeFalse();
    }

    [Theory]
    [InlineData("", "\"\"*empty*1 to 255 characters*")]
    [InlineData("a::b", "\"a::b\"*segment is empty*")]
    [InlineData(":a", "\":a\"*segment is empty*")]
    [InlineData("a:", "\"a:\"*segment is empty*")]
    [InlineData("agent:*", "\"agent:?\"*'?' is a wildcard*")]
    [InlineData("agent:#", "\"agent:#\"*'#' is a wildcard*")]
    [InlineData("a\tb", "*u0009*control character U+0009*")]
    public void TypedTopic_BadName_QuotesItAndNamesTheRule(string name, string message)
    {
        FluentActions.Invoking(() => new Topic<int>(name)).Should().Throw<ArgumentException>().WithMessage(message);
    }

    [Fact]
    public void TypedTopic_TooLong_SaysHowLongAndTheLimit() =>
        FluentActions.Invoking(() => new Topic<int>(new string('x', 300))).Should().Throw<ArgumentException>()
            .WithMessage("*xxx*300 characters*255*");

    [Fact]
    public void TypedTopic_Null_IsAMissingArgument() =>
        FluentActions.Invoking(() => new Topic<int>(null!)).Should().Throw<ArgumentNullException>();

    [Fact]
    public void TypedTopic_ChangedByWith_IsCheckedToo()
    {
        Topic<int> topic = new("a");

        FluentActions.Invoking(() => topic with { Name = "a:*" }).Should().Throw<ArgumentException>();
        (topic with { Name = "b" }).Name.Should().Be("b");
    }

    [Fact]
    public void TypedTopic_Equality_IsByOrdinalName()
    {
        new Topic<int>("a").Should().Be(new Topic<int>("a"));
        new Topic<int>("a").Should().NotBe(new Topic<int>("A"));
        new Topic<int>("a").ToString().Should().Be("a");
        default(Topic<int>).ToString().Should().BeEmpty();
        new Topic<int>("a").Deconstruct(out string name);
        name.Should().Be("a");
    }

    [Fact]
    public void As_KindOfTheEvents_IsTheSameTopicAndHearsOnlyThose()
    {
        using InProcessEventBus bus = new();
        Topic<object> things = new("things");
        Topic<Animal> animals = things.As<Animal>();
        animals.As<Cat>().Name.Should().Be("things");
        using Subscription<Cat> cats = bus.Subscribe(animals.As<Cat>());

        bus.Publish(things, "a stone");
        bus.Publish(animals, new Cat());

        cats.ReadEvents().Should().Equal(new Cat());
    }

    [Fact]
    public void DefaultTypedTopic_IsRefusedByEveryCall()
    {
        using InProcessEventBus bus = new();

        FluentActions.Invoking(() => bus.Publish(default(Topic<int>), 1)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => bus.Subscribe(default(Topic<int>))).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Join_Segments_AreJoinedUnescaped()
    {
        Topic.Join("agent").Should().Be("agent");
        Topic.Join("agent", "events", "C#").Should().Be("agent:events:C#");
        Topic.Join("$bus", "lagging").Should().Be("$bus:lagging");
    }

    [Fact]
    public void Join_BadSegment_NamesItAndTheRule()
    {
        FluentActions.Invoking(() => Topic.Join()).Should().Throw<ArgumentException>().WithMessage("*at least one segment*");
        FluentActions.Invoking(() => Topic.Join("a", "b:c")).Should().Throw<ArgumentException>().WithMessage("*\"b:c\"*':'*");
        FluentActions.Invoking(() => Topic.Join("a", "")).Should().Throw<ArgumentException>().WithMessage("*\"a:\"*empty*");
        FluentActions.Invoking(() => Topic.Join("a", null!)).Should().Throw<ArgumentException>().WithMessage("*null*");
        FluentActions.Invoking(() => Topic.Join("a", "*")).Should().Throw<ArgumentException>().WithMessage("*\"a:?\"*wildcard*");
        FluentActions.Invoking(() => Topic.Join("a", "b\u0001")).Should().Throw<ArgumentException>().WithMessage("*U+0001*");
        FluentActions.Invoking(() => Topic.Join(new string('a', 200), new string('b', 55))).Should().Throw<ArgumentException>()
            .WithMessage("*256*255*");
        Topic.Join(new string('a', 200), new string('b', 54)).Should().HaveLength(255);
    }

    [Fact]
    public void Topics_ThatDifferInCaseOrNormalization_AreDifferent()
    {
        using InProcessEventBus bus = new();
        using Subscription<int> lower = bus.Subscribe<int>("straße:é");

        bus.Publish("Straße:é", 1).Matched.Should().Be(0);
        bus.Publish("strasse:é", 2).Matched.Should().Be(0);
        bus.Publish("straße:e\u0301", 3).Matched.Should().Be(0);
        bus.Publish("straße:é", 4).Matched.Should().Be(1);
    }

    [Fact]
    public void OwnTopics_UserCode_CanListenButNotPublishCompleteOrForget()
    {
        using InProcessEventBus bus = new();
        using Subscription<BusEvent> own = bus.Subscribe<BusEvent>("$bus:#");

        foreach (string topic in new[] { "$bus:lagging", "$", "$x:y" })
        {
            FluentActions.Invoking(() => bus.Publish(topic, 1)).Should().Throw<ArgumentException>()
                .WithMessage($"*\"{topic}\"*'$'*own*");
            FluentActions.Invoking(() => bus.PublishAsync(topic, 1)).Should().Throw<ArgumentException>();
            FluentActions.Invoking(() => bus.Complete(topic)).Should().Throw<ArgumentException>();
            FluentActions.Invoking(() => bus.Forget(topic)).Should().Throw<ArgumentException>();
        }

        bus.HasSubscribers("$bus:lagging").Should().BeTrue();
        bus.GetSubscriptions("$bus:failures").Should().ContainSingle();
        FluentActions.Invoking(() => bus.Publish("$bus:lagging", 1)).Should()
            .Throw<ArgumentException>("it is refused also when somebody listens");
    }
}
