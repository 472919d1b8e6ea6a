using System.Diagnostics.Metrics;
using EventBus.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace EventBus.Tests.Hosting;

public sealed class BusRegistrationTests
{
    [Fact]
    public async Task AddEventBus_BusAndPublisher_AreOneSingleton()
    {
        await using ServiceProvider services = Build(s => s.AddEventBus());

        IEventBus bus = services.GetRequiredService<IEventBus>();

        bus.Should().BeOfType<InProcessEventBus>();
        services.GetRequiredService<IEventBus>().Should().BeSameAs(bus);
        services.GetRequiredService<IEventPublisher>().Should().BeSameAs(bus);
        using IServiceScope scope = services.CreateScope();
        scope.ServiceProvider.GetRequiredService<IEventBus>().Should().BeSameAs(bus);
    }

    [Fact]
    public async Task AddEventBus_Twice_OneBusConfiguredByBothInOrder()
    {
        ServiceCollection services = new();
        services.AddEventBus(o => (o.NodeName, o.MaxSubscriptions) = ("first", 7));
        services.AddEventBus(o => o.NodeName = "second");
        await using ServiceProvider provider = services.BuildServiceProvider();

        provider.GetServices<IEventBus>().Should().ContainSingle().Which.NodeName.Should().Be("second");
        provider.GetRequiredService<IOptions<EventBusOptions>>().Value.MaxSubscriptions.Should().Be(7);
        provider.GetServices<IHostedService>().Should().ContainSingle();
    }

    [Fact]
    public void AddEventBus_TwiceAndKeyedTwice_OneHostedService()
    {
        ServiceCollection services = new();
        services.AddEventBus();
        services.AddEventBus("audit");
        services.AddEventBus();
        services.AddEventBus("audit");

        services.Count(d => d.ServiceType == typeof(IHostedService)).Should().Be(1);
        services.Count(d => d.ServiceType == typeof(IEventBus)).Should().Be(2);
    }

    [Fact]
    public async Task AddEventBus_Keyed_IsABusOfItsOwn()
    {
        await using ServiceProvider services = Build(s =>
        {
            s.AddEventBus(o => o.NodeName = "default");
            s.AddEventBus("audit", o => o.NodeName = "audit");
        });
        IEventBus audit = services.GetRequiredKeyedService<IEventBus>("audit");
        IEventBus bus = services.GetRequiredService<IEventBus>();

        audit.Should().NotBeSameAs(bus).And.BeSameAs(services.GetRequiredKeyedService<IEventPublisher>("audit"));
        bus.NodeName.Should().Be("default");
        audit.NodeName.Should().Be("audit");
        using Subscription<string> subscription = bus.Subscribe<string>("#");
        audit.Publish("topic", "event").Matched.Should().Be(0);
        bus.Publish("topic", "event").Matched.Should().Be(1);
    }

    [Fact]
    public async Task AddEventBus_KeyedAlone_RegistersNoOtherBus()
    {
        await using ServiceProvider services = Build(s => s.AddEventBus("audit"));

        services.GetService<IEventBus>().Should().BeNull();
    }

    [Fact]
    public void AddEventBus_Builder_KnowsServicesAndName()
    {
        ServiceCollection services = new();

        services.AddEventBus().Should().BeEquivalentTo(new { Services = services, Name = (string?)null }, o => o.ComparingByValue<ServiceCollection>());
        services.AddEventBus("audit").Name.Should().Be("audit");
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData(null)]
    public void AddEventBus_BlankName_IsRefused(string? name)
    {
        Action add = () => new ServiceCollection().AddEventBus(name!);

        add.Should().Throw<ArgumentException>().WithParameterName(nameof(name));
    }

    [Fact]
    public async Task AddEventBus_TakesClockLoggerAndMetersFromTheContainer()
    {
        FakeTimeProvider clock = new();
        RecordedLog log = new();
        RecordingMeterFactory meters = new();
        await using ServiceProvider services = Build(s =>
        {
            s.AddEventBus();
            s.AddSingleton<TimeProvider>(clock);
            s.AddSingleton<ILoggerFactory>(log);
            s.AddSingleton<IMeterFactory>(meters);
        });
        IEventBus bus = services.GetRequiredService<IEventBus>();
        using Subscription<string> subscription = bus.Subscribe<string>("topic", new SubscriptionOptions { Capacity = 1 });

        bus.Publish("topic", "event");
        bus.Publish("topic", "event");

        subscription.Reader.TryRead(out Envelope<string> envelope).Should().BeTrue();
        envelope.PublishedAt.Should().Be(clock.Start);
        log.Lines.Should().ContainSingle().Which.Id.Should().Be(2);
        meters.Names.Should().Equal(EventBusTelemetry.Name);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Container_Disposed_EndsTheBus(bool async)
    {
        ServiceProvider services = Build(s => s.AddEventBus());
        IEventBus bus = services.GetRequiredService<IEventBus>();
        Subscription<string> subscription = bus.Subscribe<string>("topic");

        if (async)
            await services.DisposeAsync();
        else
            services.Dispose();

        await subscription.Completion.Soon();
        bus.Publish("topic", "event").Should().Be(default(PublishResult));
        bus.Invoking(b => b.Subscribe<string>("topic")).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public async Task Start_OptionsOutOfRange_FailsNamingEachWithItsRange()
    {
        using IHost host = BuildHost(s => s.AddEventBus(o => (o.MaxSubscriptions, o.Subscription.Capacity) = (0, 2_000_000)));

        OptionsValidationException failure =
            (await host.Invoking(h => h.StartAsync()).Should().ThrowAsync<OptionsValidationException>()).Which;

        failure.Message.Should()
            .Contain("MaxSubscriptions is 0; it must be 1 to 2147483647").And
            .Contain("Subscription.Capacity is 2000000; it must be 1 to 1048576");
    }

    [Fact]
    public async Task Start_KeyedOptionsOutOfRange_NamesTheBus()
    {
        using IHost host = BuildHost(s => s.AddEventBus("audit", o => o.KeepHistory("a::b", depth: 0)));

        OptionsValidationException failure =
            (await host.Invoking(h => h.StartAsync()).Should().ThrowAsync<OptionsValidationException>()).Which;

        failure.Message.Should().Contain("the event bus \"audit\"").And
            .Contain("History[0].Pattern is \"a::b\"").And
            .Contain("History[0].Depth is 0; it must be 1 to 1048576 events");
    }

    private static ServiceProvider Build(Action<IServiceCollection> register)
    {
        ServiceCollection services = new();
        register(services);
        return services.BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });
    }

    private static IHost BuildHost(Action<IServiceCollection> register)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        register(builder.Services);
        return builder.Build();
    }

    private sealed class RecordingMeterFactory : IMeterFactory
    {
        private readonly List<Meter> _meters = [];

        public IEnumerable<string> Names => _meters.Select(m => m.Name);

        public Meter Create(MeterOptions options)
        {
            Meter meter = new(options);
            _meters.Add(meter);
            return meter;
        }

        public void Dispose() => _meters.ForEach(m => m.Dispose());
    }
}
