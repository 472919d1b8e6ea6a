using System.Collections.Concurrent;
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

    [Theory]
    [InlineData(null, false)]
    [InlineData(null, true)]
    [InlineData("audit", false)]
    [InlineData("audit", true)]
    public async Task AddWriteBehind_DisposedContainer_FlushesBeforeTheBusIsDisposed_InWhateverOrderTheyWereResolved(string? name, bool busFirst)
    {
        ServiceProvider services = Build(s => (name is null ? s.AddEventBus() : s.AddEventBus(name)).AddWriteBehind<string, Store>());
        IEventBus? bus = busFirst ? services.GetRequiredKeyedService<IEventBus>(name) : null;
        WriteBehindPublisher<string> writeBehind = services.GetRequiredKeyedService<WriteBehindPublisher<string>>(name);
        bus ??= services.GetRequiredKeyedService<IEventBus>(name);
        services.GetRequiredKeyedService<IEventPublisher>(name).Should().BeSameAs(bus);
        using Subscription<string> listener = bus.Subscribe<string>("run:1");
        writeBehind.Publish("run:1", "a");

        await services.DisposeAsync().Soon();

        listener.ReadEvents().Should().Equal("a");
    }

    [Fact]
    public async Task AddWriteBehind_StoreWithoutItsDependencies_FailsTheStartAndNamesItWithoutCreatingIt()
    {
        int created = 0;
        await using HandlerHost host = HandlerHost.CreateWith(services =>
        {
            services.AddTransient(_ => new Created(++created));
            services.AddEventBus().AddWriteBehind<string, NeedyStore>().AddWriteBehind<string, NeedyStore>();
            services.AddEventBus("audit").AddWriteBehind<string, NeedyStore>();
            services.AddEventBus("other").AddWriteBehind<int, NumberStore>();
        });

        Exception? failure = await Record.ExceptionAsync(() => host.StartAsync());

        string needs = $"cannot be created: {typeof(NeedyStore)} needs {typeof(IMissing)} (parameter \"missing\"), which is not registered.";
        failure.Should().BeOfType<InvalidOperationException>().Which.Message.Split(Environment.NewLine).Should().Equal(
            $"The store {typeof(NeedyStore)} of the write-behind of System.String {needs}",
            $"The store {typeof(NeedyStore)} of the write-behind of System.String on the bus \"audit\" {needs}");
        created.Should().Be(0);
    }

    [Fact]
    public async Task HostStop_DuringARetryDelay_StoresAtOnceAndHandlersStillGetIt()
    {
        ConcurrentQueue<string> handled = new();
        await using HandlerHost host = await HandlerHost.StartAsync(b => b
            .AddWriteBehind<string, Store>(o => (o.RetryDelay, o.MaxRetryDelay) = (TimeSpan.FromHours(1), TimeSpan.FromHours(1)))
            .AddHandler<string>("run:1", (_, e, _) =>
            {
                handled.Enqueue(e.Event);
                return default;
            }));
        host.Services.GetRequiredService<Store>().FailFirst(1);
        host.Services.GetRequiredService<WriteBehindPublisher<string>>().Publish("run:1", "a");
        host.Clock.Advance(TimeSpan.FromMilliseconds(100));
        await host.Clock.WhenTimersAsync();

        await host.StopAsync().Soon();

        handled.Should().Equal("a");
        host.Log.Lines.Should().NotContain(l => l.Id == 22);
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

        public void FailFirst(int calls) => _inner.FailFirst(calls);

        public ValueTask AppendAsync(IReadOnlyList<BufferedEvent<string>> batch, CancellationToken cancellationToken) =>
            _inner.AppendAsync(batch, cancellationToken);
    }

    private sealed class OtherStore : Store;

    private interface IMissing;

    private sealed record Created(int Number);

    private sealed class NeedyStore(Created created, IMissing missing) : IEventStore<string>
    {
        public ValueTask AppendAsync(IReadOnlyList<BufferedEvent<string>> batch, CancellationToken cancellationToken) =>
            throw new NotSupportedException($"{created} {missing}");
    }

    private sealed class NumberStore(Created created) : IEventStore<int>
    {
        public ValueTask AppendAsync(IReadOnlyList<BufferedEvent<int>> batch, CancellationToken cancellationToken) =>
            throw new NotSupportedException($"{created}");
    }
}
