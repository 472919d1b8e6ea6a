using EventBus.Hosting;
using EventBus.Tests.Handling;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace EventBus.Tests.Hosting;

/// <summary>Options of handlers and write-behinds are configured by their names.</summary>
public sealed class HandlerConfigurationTests
{
    [Fact]
    public void EveryOption_BindsFromConfiguration()
    {
        HandlerOptions options = new();

        new BusConfiguration(null, Configuration(
            ("Handlers:x:Capacity", "12"),
            ("Handlers:x:Overflow", "dropoldest"),
            ("Handlers:x:WaitTimeout", "00:00:05"),
            ("Handlers:x:Replay", "Last(3)"),
            ("Handlers:x:Name", "renamed"),
            ("Handlers:x:MaxConcurrency", "4"),
            ("Handlers:x:Order", "None"),
            ("Handlers:x:MaxAttempts", "5"),
            ("Handlers:x:RetryDelay", "00:00:06"),
            ("Handlers:x:MaxRetryDelay", "00:00:07"),
            ("Handlers:x:AttemptTimeout", "00:00:08"),
            ("Handlers:x:DrainTimeout", "00:00:09"),
            ("Handlers:x:MaxBatchSize", "10"),
            ("Handlers:x:MaxBatchDelay", "00:00:11"))).Apply("x", options);

        options.Should().BeEquivalentTo(new HandlerOptions
        {
            Capacity = 12,
            Overflow = OverflowPolicy.DropOldest,
            WaitTimeout = TimeSpan.FromSeconds(5),
            Replay = Replay.Last(3),
            Name = "renamed",
            MaxConcurrency = 4,
            Order = HandlerOrder.None,
            MaxAttempts = 5,
            RetryDelay = TimeSpan.FromSeconds(6),
            MaxRetryDelay = TimeSpan.FromSeconds(7),
            AttemptTimeout = TimeSpan.FromSeconds(8),
            DrainTimeout = TimeSpan.FromSeconds(9),
            MaxBatchSize = 10,
            MaxBatchDelay = TimeSpan.FromSeconds(11),
        });
    }

    [Fact]
    public void EveryOptionThereIs_CanBeConfigured_ButCode() =>
        typeof(HandlerOptions).GetProperties().Select(p => p.Name)
            .Should().BeEquivalentTo([.. HandlerSettings.Keys, nameof(HandlerOptions.ShouldRetry), nameof(HandlerOptions.Filters)]);

    [Fact]
    public async Task Handlers_AreConfigured_ByTheNameCodeGivesThem_OrElseTheirClassesShortName()
    {
        await using HandlerHost host = CreateHost(
            [("Handlers:NamedHandler:Capacity", "11"), ("Handlers:given:Capacity", "12"), ("Handlers:a delegate:Capacity", "13")],
            b => b
                .AddHandler<string, NamedHandler>("class")
                .AddHandler<string, NamedHandler>("class with a name", o => o.Name = "given")
                .AddHandler<string>("delegate", (_, _, _) => default, o => o.Name = "a delegate")
                .AddBatchHandler<string>("batch", (_, _, _) => default, o => o.Name = "GIVEN")
                .AddHandler<string>("nameless", (_, _, _) => default, o => o.Capacity = 14));

        await host.StartAsync();

        host.Bus.GetSubscriptions().Select(s => (s.Patterns.Single(), s.Capacity)).Should().Equal(
            ("class", 11), ("class with a name", 12), ("delegate", 13), ("batch", 12), ("nameless", 14));
    }

    [Fact]
    public async Task Configuration_HasTheLastWord_OverCodeAndTheBussDefaults()
    {
        await using HandlerHost host = CreateHost(
            [("Subscription:Capacity", "5"), ("Subscription:Name", "default"), ("Handlers:NamedHandler:Capacity", "7")],
            b => b
                .AddHandler<string, NamedHandler>("coded", o => o.Capacity = 6)
                .AddHandler<string>("delegate", (_, _, _) => default));

        await host.StartAsync();

        host.Bus.GetSubscriptions().Select(s => (s.Capacity, s.Name)).Should().Equal((7, "default"), (5, "default"));
    }

    [Fact]
    public async Task ConfiguredReplay_IsAskedFor()
    {
        await using HandlerHost host = CreateHost(
            [("History:0:Pattern", "run"), ("Handlers:NamedHandler:Replay", "All")], b => b.AddHandler<string, NamedHandler>("run"));
        host.Bus.Publish("run", "before the start");

        await host.StartAsync();
        await host.WhenIdleAsync();

        host.Services.GetRequiredService<Seen>().Events.Should().Equal("before the start");
    }

    [Fact]
    public async Task Keyed_HasItsOwnSections()
    {
        await using HandlerHost host = HandlerHost.CreateWith(services =>
        {
            services.AddSingleton<Seen>();
            services.AddEventBus(Configuration(("Handlers:NamedHandler:Capacity", "1"))).AddHandler<string, NamedHandler>("topic");
            services.AddEventBus("audit", Configuration(("Handlers:NamedHandler:Capacity", "2"))).AddHandler<string, NamedHandler>("topic");
        });

        await host.StartAsync();

        host.Bus.GetSubscriptions().Single().Capacity.Should().Be(1);
        host.Services.GetRequiredKeyedService<IEventBus>("audit").GetSubscriptions().Single().Capacity.Should().Be(2);
    }

    [Theory]
    [InlineData("Handlers:NamedHandlr:Capacity", "1", "*'EventBus:Handlers:NamedHandlr' is for no handler of the bus*NamedHandler, other*")]
    [InlineData("Handlers:NamedHandler:Capacty", "1", "*NamedHandler*'EventBus:Handlers:NamedHandler:Capacty'*AttemptTimeout, Capacity,*")]
    [InlineData("Handlers:NamedHandler:ShouldRetry", "no", "*'EventBus:Handlers:NamedHandler:ShouldRetry'*")]
    [InlineData("Handlers:NamedHandler:Filters:0", "no", "*'EventBus:Handlers:NamedHandler:Filters'*")]
    [InlineData("Handlers:NamedHandler:Capacity", "many", "*EventBus:Handlers:NamedHandler:Capacity*")]
    [InlineData("Handlers:NamedHandler:Capacity", "0", "*NamedHandler*Capacity is 0; it must be 1 to 1048576*")]
    [InlineData("Handlers:NamedHandler:Capacity:Of", "5", "*'EventBus:Handlers:NamedHandler:Capacity' is a section*")]
    [InlineData("Handlers:NamedHandler:Replay", "Some", "*EventBus:Handlers:NamedHandler:Replay*")]
    [InlineData("Handlers:NamedHandler", "fast", "*\"fast\" at 'EventBus:Handlers:NamedHandler'*")]
    [InlineData("Handlers", "fast", "*\"fast\" at 'EventBus:Handlers'*")]
    [InlineData("WriteBehind:Strin:Capacity", "1", "*'EventBus:WriteBehind:Strin' is for no write-behind of the bus*String*")]
    [InlineData("WriteBehind:String:Capacty", "1", "*'EventBus:WriteBehind:String:Capacty'*Capacity*FlushInterval*")]
    [InlineData("WriteBehind:String:Capacity", "many", "*EventBus:WriteBehind:String:Capacity*")]
    [InlineData("WriteBehind:String:Capacity:Of", "5", "*'EventBus:WriteBehind:String:Capacity' is a section*")]
    [InlineData("WriteBehind:String:Capacity", "0", "*Capacity is 0*")]
    public async Task WrongNameKeyOrValue_FailsTheStart_NamingItsPath(string key, string value, string message)
    {
        await using HandlerHost host = CreateHost([(key, value)], b => b
            .AddHandler<string, NamedHandler>("topic")
            .AddHandler<string>("topic", (_, _, _) => default, o => o.Name = "other")
            .AddWriteBehind<string, RecordingStore<string>>());

        Func<Task> start = host.StartAsync;

        (await start.Should().ThrowAsync<Exception>()).WithMessage(message);
        host.InProcessBus.Activity.Loops().Should().BeEmpty();
    }

    [Fact]
    public async Task NameOfAHandlerThatIsNotThere_IsToldWhenThereIsNone()
    {
        await using HandlerHost host = CreateHost([("Handlers:Gone:Capacity", "1")], _ => { });

        Func<Task> start = host.StartAsync;

        (await start.Should().ThrowAsync<InvalidOperationException>()).WithMessage("*'EventBus:Handlers:Gone' is for no handler*there is none*");
    }

    [Fact]
    public void WriteBehinds_AreConfigured_ByTheNameOfTheirEvents_AndOverCode()
    {
        ServiceCollection services = new();
        services.AddEventBus(Configuration(("WriteBehind:Written:MaxBatchSize", "3")))
            .AddWriteBehind<Written, RecordingStore<Written>>(o => (o.MaxBatchSize, o.Capacity) = (2, 20))
            .AddWriteBehind<string, RecordingStore<string>>();
        services.AddEventBus("audit").AddWriteBehind<Written, RecordingStore<Written>>();
        using ServiceProvider provider = services.BuildServiceProvider();
        IOptionsMonitor<WriteBehindOptions> options = provider.GetRequiredService<IOptionsMonitor<WriteBehindOptions>>();

        WriteBehindOptions configured = options.Get(new WriteBehindRegistration(null, typeof(Written), typeof(object)).OptionsName);
        WriteBehindOptions others = options.Get(new WriteBehindRegistration(null, typeof(string), typeof(object)).OptionsName);
        WriteBehindOptions keyed = options.Get(new WriteBehindRegistration("audit", typeof(Written), typeof(object)).OptionsName);

        configured.MaxBatchSize.Should().Be(3);
        configured.Capacity.Should().Be(20);
        others.MaxBatchSize.Should().Be(1000);
        keyed.MaxBatchSize.Should().Be(1000);
    }

    private static HandlerHost CreateHost((string, string)[] configuration, Action<EventBusBuilder> configure) => HandlerHost.CreateWith(services =>
    {
        services.AddSingleton<Seen>();
        configure(services.AddEventBus(Configuration(configuration)));
    });

    private static IConfigurationSection Configuration(params (string Key, string Value)[] values) =>
        new ConfigurationBuilder()
            .AddInMemoryCollection(values.Select(v => KeyValuePair.Create($"EventBus:{v.Key}", (string?)v.Value)))
            .Build()
            .GetSection("EventBus");

    private sealed record Written;

    private sealed class NamedHandler(Seen seen) : IEventHandler<string>
    {
        public ValueTask HandleAsync(Envelope<string> envelope, CancellationToken cancellationToken)
        {
            seen.Events.Enqueue(envelope.Event);
            return default;
        }
    }
}
