using EventBus.Testing;
using EventBus.Tests.Handling;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace EventBus.Tests.Hosting;

public sealed class AddWriteBehindTests
{
    [Fact]
    public async Task AddWriteBehind_Publisher_IsASingletonThatStoresAndBroadcasts()
    {
        await using ServiceProvider services = Build(s => s.AddEventBus().AddWriteBehind<string, Store>());
        WriteBehindPublisher<string> writeBehind = services.GetRequiredService<WriteBehindPublisher<string>>();
        using Subscription<string> listener = services.GetRequiredService<IEventBus>().Subscribe<string>("run:1");
        writeBehind.Publish("run:1", "a");

        await writeBehind.FlushAsync().Soon();

        services.GetRequiredService<WriteBehindPublisher<string>>().Should().BeSameAs(writeBehind);
        services.GetRequiredService<Store>().Events.Should().Equal("a");
        listener.ReadEvents().Should().Equal("a");
    }

    [Fact]
    public async Task AddWriteBehind_Clock_IsTheContainers()
    {
        FakeTimeProvider clock = new();
        await using ServiceProvider services = Build(s => s.AddSingleton<TimeProvider>(clock)
            .AddEventBus().AddWriteBehind<string, Store>(o => o.FlushInterval = TimeSpan.FromMinutes(1)));
        services.GetRequiredService<WriteBehindPublisher<string>>().Publish("run:1", "a");

        clock.Advance(TimeSpan.FromMinutes(1));

        services.GetRequiredService<Store>().Events.Should().Equal("a");
    }

    [Fact]
    public async Task AddWriteBehind_DisposedContainer_FlushesBeforeTheBusIsDisposed()
    {
        ServiceProvider services = Build(s => s.AddEventBus().AddWriteBehind<string, Store>());
        using Subscription<string> listener = services.GetRequiredService<IEventBus>().Subscribe<string>("run:1");
        services.GetRequiredService<WriteBehindPublisher<string>>().Publish("run:1", "a");

        await services.DisposeAsync().Soon();

        listener.ReadEvents().Should().Equal("a");
    }

    [Fact]
    public async Task AddWriteBehind_KeyedBus_HasItsOwnPublisherAndStore()
    {
        await using ServiceProvider services = Build(s =>
        {
            s.AddEventBus().AddWriteBehind<string, Store>();
            s.AddEventBus("audit").AddWriteBehind<string, Store>();
        });
        using Subscription<string> plain = services.GetRequiredService<IEventBus>().Subscribe<string>("#");
        using Subscription<string> audit = services.GetRequiredKeyedService<IEventBus>("audit").Subscribe<string>("#");
        WriteBehindPublisher<string> writeBehind = services.GetRequiredKeyedService<WriteBehindPublisher<string>>("audit");
        writeBehind.Publish("run:1", "a");

        await writeBehind.FlushAsync().Soon();

        audit.ReadEvents().Should().Equal("a");
        plain.Count.Should().Be(0);
        services.GetRequiredKeyedService<Store>("audit").Events.Should().Equal("a");
        services.GetRequiredService<Store>().Events.Should().BeEmpty();
    }

    [Fact]
    public async Task AddWriteBehind_OptionOutOfRange_FailsTheStartAndNamesItWithItsRange()
    {
        HostApplicationBuilder builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddEventBus().AddWriteBehind<string, Store>(o => o.Capacity = 0);
        builder.Services.AddEventBus("audit").AddWriteBehind<string, Store>(o => o.RetryDelay = TimeSpan.Zero);
        using IHost host = builder.Build();

        Exception? failure = await Record.ExceptionAsync(() => host.StartAsync());

        string.Join(" ", failure.Should().BeOfType<AggregateException>().Which.InnerExceptions.Select(e => e.Message)).Should().Contain("Options of the write-behind of System.String: Capacity is 0; it must be 1 to 1048576 events.")
            .And.Contain("Options of the write-behind of System.String on the bus \"audit\": RetryDelay is 00:00:00; it must be 1 ms to 24 hours");
    }

    [Fact]
    public async Task AddWriteBehind_Twice_IsConfiguredByBoth()
    {
        await using ServiceProvider services = Build(s => s.AddEventBus()
            .AddWriteBehind<string, Store>(o => (o.Capacity, o.MaxBatchSize) = (1, 1))
            .AddWriteBehind<string, Store>(o => o.Capacity = 2));

        WriteBehindOptions options = services.GetRequiredService<IOptionsMonitor<WriteBehindOptions>>().Get("System.String");

        (options.Capacity, options.MaxBatchSize).Should().Be((2, 1));
        services.GetServices<WriteBehindPublisher<string>>().Should().ContainSingle();
    }

    [Fact]
    public void AddWriteBehind_TwoStoresForTheSameEvents_IsRefused()
    {
        EventBusBuilder builder = new ServiceCollection().AddEventBus().AddWriteBehind<string, Store>();

        builder.Invoking(b => b.AddWriteBehind<string, OtherStore>()).Should().Throw<InvalidOperationException>()
            .WithMessage($"*System.String*{typeof(Store)}*{typeof(OtherStore)}*");
    }

    [Fact]
    public void AddWriteBehind_ScopedStore_IsRefused()
    {
        ServiceCollection services = new();
        services.AddScoped<Store>();

        services.AddEventBus().Invoking(b => b.AddWriteBehind<string, Store>()).Should().Throw<InvalidOperationException>()
            .WithMessage($"The store {typeof(Store)} is registered as Scoped*");
    }

    private static ServiceProvider Build(Action<IServiceCollection> register)
    {
        ServiceCollection services = new();
        register(services);
        return services.BuildServiceProvider(new ServiceProviderOptions { ValidateScopes = true, ValidateOnBuild = true });
    }

    private class Store : IEventStore<string>
    {
        private readonly RecordingStore<string> _inner = new();

        public IEnumerable<string> Events => _inner.Events;

        public ValueTask AppendAsync(IReadOnlyList<BufferedEvent<string>> batch, CancellationToken cancellationToken) =>
            _inner.AppendAsync(batch, cancellationToken);
    }

    private sealed class OtherStore : Store;
}
