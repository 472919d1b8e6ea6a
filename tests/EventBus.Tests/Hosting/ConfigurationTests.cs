using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace EventBus.Tests.Hosting;

public sealed class ConfigurationTests
{
    [Fact]
    public void EveryOption_BindsFromConfiguration()
    {
        EventBusOptions options = Bind(
            ("NodeName", "node-1"),
            ("MaxSubscriptions", "12"),
            ("Subscription:Capacity", "34"),
            ("Subscription:Overflow", "dropoldest"),
            ("Subscription:WaitTimeout", "00:00:05.5"),
            ("Subscription:Replay", "Last(3)"),
            ("Subscription:Name", "default"),
            ("History:0:Pattern", "run:*"),
            ("History:0:Depth", "5"),
            ("History:0:MaxTopics", "6"),
            ("History:0:MaxAge", "01:00:00"),
            ("History:1:Pattern", "#"));

        options.NodeName.Should().Be("node-1");
        options.MaxSubscriptions.Should().Be(12);
        options.Subscription.Should().BeEquivalentTo(new SubscriptionOptions
        {
            Capacity = 34,
            Overflow = OverflowPolicy.DropOldest,
            WaitTimeout = TimeSpan.FromSeconds(5.5),
            Replay = Replay.Last(3),
            Name = "default",
        });
        options.History.Should().BeEquivalentTo(
            [
                new HistoryRule { Pattern = "run:*", Depth = 5, MaxTopics = 6, MaxAge = TimeSpan.FromHours(1) },
                new HistoryRule { Pattern = "#" },
            ],
            o => o.WithStrictOrdering());
    }

    [Fact]
    public void EveryOptionThereIs_IsInTheTestAbove()
    {
        // A new option must be looked at: the generated binding passes over types it does not know.
        typeof(EventBusOptions).GetProperties().Should().HaveCount(4);
        typeof(SubscriptionOptions).GetProperties().Should().HaveCount(5);
        typeof(HistoryRule).GetProperties().Should().HaveCount(5, "LatestOnly cannot be configured, which the tests below show");
    }

    [Fact]
    public void NothingConfigured_LeavesTheDefaults() => Bind().Should().BeEquivalentTo(new EventBusOptions());

    [Fact]
    public void Keyed_BindsItsOwnSection()
    {
        ServiceCollection services = new();
        services.AddEventBus(Configuration(("NodeName", "default")));
        services.AddEventBus("audit", Configuration(("NodeName", "audit")));
        using ServiceProvider provider = services.BuildServiceProvider();

        provider.GetRequiredService<IEventBus>().NodeName.Should().Be("default");
        provider.GetRequiredKeyedService<IEventBus>("audit").NodeName.Should().Be("audit");
    }

    [Fact]
    public void CodeAfterConfiguration_HasTheLastWord()
    {
        ServiceCollection services = new();
        services.AddEventBus(Configuration(("NodeName", "configured"), ("History:0:Pattern", "a")));
        services.AddEventBus(o =>
        {
            o.NodeName = "coded";
            o.KeepHistory("b");
        });
        using ServiceProvider provider = services.BuildServiceProvider();

        EventBusOptions options = provider.GetRequiredService<IOptions<EventBusOptions>>().Value;

        options.NodeName.Should().Be("coded");
        options.History.Select(r => r.Pattern).Should().Equal("a", "b");
    }

    [Theory]
    [InlineData("None", "None")]
    [InlineData("all", "All")]
    [InlineData("Last(0)", "Last(0)")]
    [InlineData("last(100)", "Last(100)")]
    [InlineData("After(1763726400000000)", "After(1763726400000000)")]
    public void Replay_IsWrittenAsItIsShown(string text, string expected) =>
        Bind(("Subscription:Replay", text)).Subscription.Replay.ToString().Should().Be(expected);

    [Theory]
    [InlineData("MaxSubscriptionz", "5", "MaxSubscriptionz")]
    [InlineData("Subscription:Capacty", "5", "Capacty")]
    [InlineData("History:0:Depht", "5", "Depht")]
    [InlineData("MaxSubscriptions", "many", "EventBus:MaxSubscriptions")]
    [InlineData("Subscription:Overflow", "DropEverything", "EventBus:Subscription:Overflow")]
    [InlineData("Subscription:WaitTimeout", "soon", "EventBus:Subscription:WaitTimeout")]
    [InlineData("Subscription:Replay", "Last(-1)", "EventBus:Subscription:Replay")]
    [InlineData("Subscription:Replay", "Last(9999999999)", "EventBus:Subscription:Replay")]
    [InlineData("Subscription:Replay", "Last", "EventBus:Subscription:Replay")]
    [InlineData("Subscription:Replay:Kind", "All", "EventBus:Subscription:Replay")]
    [InlineData("MaxSubscriptions:Of", "5", "'EventBus:MaxSubscriptions' is a section")]
    [InlineData("Subscription:Capacity:Of", "5", "'EventBus:Subscription:Capacity' is a section")]
    [InlineData("History:0:Depth:Of", "5", "'EventBus:History:0:Depth' is a section")]
    [InlineData("Subscription", "large", "EventBus:Subscription")]
    [InlineData("History", "run:*", "EventBus:History")]
    [InlineData("History:0", "run:*", "EventBus:History:0")]
    [InlineData("History:0:LatestOnly", "System.String", "EventBus:History:0:LatestOnly")]
    [InlineData("History:1:LatestOnly:0", "System.String", "EventBus:History:1:LatestOnly")]
    public void WrongKeyOrValue_IsNamedInTheMessage(string key, string value, string named)
    {
        Action bind = () => Bind((key, value));

        bind.Should().Throw<InvalidOperationException>().Which.ToString().Should().Contain(named);
    }

    [Fact]
    public void LatestOnly_OfAConfiguredRule_IsSetInCode()
    {
        ServiceCollection services = new();
        services.AddEventBus(Configuration(("History:0:Pattern", "run:*"), ("History:0:Depth", "5")));
        services.AddEventBus(o => o.History.Single(r => r.Pattern == "run:*").LatestOnly = [typeof(string)]);
        using ServiceProvider provider = services.BuildServiceProvider();

        HistoryRule rule = provider.GetRequiredService<IOptions<EventBusOptions>>().Value.History.Single();

        rule.LatestOnly.Should().Equal(typeof(string));
        rule.Depth.Should().Be(5);
    }

    private static EventBusOptions Bind(params (string Key, string Value)[] values)
    {
        ServiceCollection services = new();
        services.AddEventBus(Configuration(values));
        using ServiceProvider provider = services.BuildServiceProvider();
        return provider.GetRequiredService<IOptions<EventBusOptions>>().Value;
    }

    private static IConfigurationSection Configuration(params (string Key, string Value)[] values) =>
        new ConfigurationBuilder()
            .AddInMemoryCollection(values.Select(v => KeyValuePair.Create($"EventBus:{v.Key}", (string?)v.Value)))
            .Build()
            .GetSection("EventBus");
}
