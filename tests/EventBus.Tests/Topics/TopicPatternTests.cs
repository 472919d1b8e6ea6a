using EventBus.Tests.Routing;

namespace EventBus.Tests.Topics;

public sealed class TopicPatternTests
{
    private static readonly string[] Literals = ["a", "b", "C#", "a*b", "$x", "aa"];
    private static readonly string[] PatternSegments = [.. Literals, "*", "#", "#", "*"];

    private static readonly string[] OverlapSegments = ["a", "b", "*", "#"];

    /// <summary>All topics of up to eight 'a' and 'b': two patterns of up to four segments that overlap share one of these.</summary>
    private static readonly string[] ShortTopics = [.. Enumerable.Range(1, 8).SelectMany(TopicsOf)];

    [Theory]
    [InlineData("agent:*", "agent:7", true)]
    [InlineData("agent:*", "agent", false)]
    [InlineData("agent:*", "agent:mail:7", false)]
    [InlineData("agent:#", "agent:7", true)]
    [InlineData("agent:#", "agent", true)]
    [InlineData("agent:#", "agent:mail:7", true)]
    [InlineData("agent:#", "agents", false)]
    [InlineData("#", "a", true)]
    [InlineData("#", "a:b:c", true)]
    [InlineData("*", "a", true)]
    [InlineData("*", "a:b", false)]
    [InlineData("#:a", "a", true)]
    [InlineData("#:a", "b:a", true)]
    [InlineData("#:a", "a:b", false)]
    [InlineData("#:#", "a", true)]
    [InlineData("a:#:b", "a:b", true)]
    [InlineData("a:#:b", "a:x:y:b", true)]
    [InlineData("a:#:b", "a:x", false)]
    [InlineData("#:*", "a", true)]
    [InlineData("*:#:*", "a", false)]
    [InlineData("*:#:*", "a:b", true)]
    [InlineData("#:#:a:#", "x:y:a:z", true)]
    [InlineData("#:#:a:#", "x:y:z", false)]
    [InlineData("C#", "C#", true)]
    [InlineData("C#", "Cx", false)]
    [InlineData("a*b", "axb", false)]
    [InlineData("#", "$bus", false)]
    [InlineData("*:lagging", "$bus:lagging", false)]
    [InlineData("#:lagging", "$bus:lagging", false)]
    [InlineData("$bus:#", "$bus:lagging", true)]
    [InlineData("$bus:*", "$bus:lagging", true)]
    [InlineData("a:*", "a:$x", true)]
    [InlineData("#", "", false)]
    [InlineData("A", "a", false)]
    public void Matches_Case_IsAsTheRulesSay(string pattern, string topic, bool expected)
    {
        TopicPattern.Parse(pattern).Matches(topic).Should().Be(expected);
        if (topic.Length > 0)
            PlainMatcher.Matches(pattern, topic).Should().Be(expected);
    }

    [Fact]
    public void Matches_RandomPatternsAndTopics_AgreesWithThePlainRules() =>
        Script.CheckAll(5_000, 40, script =>
        {
            string pattern = RandomSegments(script, PatternSegments, 7);
            string topic = RandomSegments(script, Literals, 7);
            TopicPattern.Parse(pattern).Matches(topic).Should().Be(PlainMatcher.Matches(pattern, topic), $"{pattern} and {topic}");
        });

    [Fact]
    public void Matches_ManyWildcardsThatNearlyFit_NeedsNoBacktracking()
    {
        // 127 segments of which every one could be taken by any '#': with naive backtracking this would not end.
        TopicPattern pattern = TopicPattern.Parse(string.Join(':', Enumerable.Repeat("#:a", 60)) + ":b");
        string topic = string.Join(':', Enumerable.Repeat("a", 127));

        pattern.Matches(topic).Should().BeFalse();

        Memory.AllocatedBy(() => pattern.Matches(topic)).Should().Be(0);
    }

    [Fact]
    public void Matches_TopicOfTheBus_AgreesWithRouting()
    {
        using InProcessEventBus bus = new();
        using Subscription<int> many = bus.Subscribe<int>(string.Join(':', Enumerable.Repeat("#:a", 60)) + ":b");

        bus.Publish(string.Join(':', Enumerable.Repeat("a", 127)), 1).Matched.Should().Be(0);
        bus.Publish(string.Join(':', Enumerable.Repeat("a", 126)) + ":b", 1).Matched.Should().Be(1);
    }

    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("a", "b", false)]
    [InlineData("a", "a:b", false)]
    [InlineData("a:*", "a:b", true)]
    [InlineData("a:*", "*:b", true)]
    [InlineData("a:*", "b:*", false)]
    [InlineData("a:#", "a", true)]
    [InlineData("a:#", "#:b", true)]
    [InlineData("a:#", "b:#", false)]
    [InlineData("a:#:b", "a:*:*:c", false)]
    [InlineData("a:#:b", "*:*:*", true)]
    [InlineData("#", "x:y", true)]
    [InlineData("*", "*:*", false)]
    [InlineData("#:#", "#", true)]
    [InlineData("*:#:a", "a", false)]
    public void Overlaps_Case_IsWhetherATopicIsMatchedByBoth(string one, string other, bool expected)
    {
        TopicPattern.Parse(one).Overlaps(TopicPattern.Parse(other)).Should().Be(expected);
        TopicPattern.Parse(other).Overlaps(TopicPattern.Parse(one)).Should().Be(expected);
    }

    [Fact]
    public void Overlaps_RandomPatterns_IsTrueWhereverATopicIsMatchedByBoth() =>
        Script.CheckAll(1_000, 40, script =>
        {
            TopicPattern one = TopicPattern.Parse(RandomSegments(script, OverlapSegments, 4));
            TopicPattern other = TopicPattern.Parse(RandomSegments(script, OverlapSegments, 4));
            bool overlaps = one.Overlaps(other);
            overlaps.Should().Be(other.Overlaps(one));
            overlaps.Should().Be(ShortTopics.Any(t => one.Matches(t) && other.Matches(t)), $"{one} and {other}");
        });

    [Theory]
    [InlineData("a", true)]
    [InlineData("C#:a*b", true)]
    [InlineData("a:*", false)]
    [InlineData("#", false)]
    public void IsExact_NoWildcardSegment_IsTrue(string pattern, bool expected)
    {
        TopicPattern parsed = TopicPattern.Parse(pattern);

        parsed.IsExact.Should().Be(expected);
        parsed.ToString().Should().Be(pattern);
    }

    [Theory]
    [InlineData("", "\"\"*empty*")]
    [InlineData("a::b", "\"a::b\"*segment is empty*")]
    [InlineData("a:*:", "*segment is empty*")]
    [InlineData("a\u0000", "*U+0000*")]
    public void Parse_BadPattern_QuotesItAndNamesTheRule(string pattern, string message)
    {
        FluentActions.Invoking(() => TopicPattern.Parse(pattern)).Should().Throw<ArgumentException>().WithMessage(message);
        TopicPattern.TryParse(pattern, out TopicPattern? result).Should().BeFalse();
        result.Should().BeNull();
    }

    [Fact]
    public void Parse_NullOrTooLong_IsRefused()
    {
        FluentActions.Invoking(() => TopicPattern.Parse(null!)).Should().Throw<ArgumentNullException>();
        TopicPattern.TryParse(null, out _).Should().BeFalse();
        TopicPattern.TryParse("#:" + new string('a', 254), out _).Should().BeFalse();
        TopicPattern.TryParse("#:" + new string('a', 253), out TopicPattern? longest).Should().BeTrue();
        longest!.Matches(new string('a', 253)).Should().BeTrue();
    }

    private static IEnumerable<string> TopicsOf(int length) =>
        from bits in Enumerable.Range(0, 1 << length)
        select string.Join(':', Enumerable.Range(0, length).Select(i => ((bits >> i) & 1) == 0 ? "a" : "b"));

    internal static string RandomSegments(Script script, string[] choices, int most)
    {
        string[] segments = new string[1 + script.Next(most)];
        for (int i = 0; i < segments.Length; i++)
            segments[i] = script.Pick(choices);
        return string.Join(':', segments);
    }
}
