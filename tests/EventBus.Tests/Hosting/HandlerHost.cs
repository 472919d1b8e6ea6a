using EventBus.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Hosting;

/// <summary>A host of one test, with a clock that the test turns and a log that it reads.</summary>
internal sealed class HandlerHost : IAsyncDisposable
{
    private readonly IHost _host;

    private HandlerHost(Action<IServiceCollection> register)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<TimeProvider>(Clock);
        builder.Services.AddSingleton<ILoggerFactory>(Log);
        register(builder.Services);
        builder.ConfigureContainer(new DefaultServiceProviderFactory(new ServiceProviderOptions { ValidateScopes = true }));
        _host = builder.Build();
    }

    public FakeTimeProvider Clock { get; } = new();

    public RecordedLog Log { get; } = new();

    public IServiceProvider Services => _host.Services;

    public IEventBus Bus => Services.GetRequiredService<IEventBus>();

    /// <summary>The bus, for what only this library may see.</summary>
    public InProcessEventBus InProcessBus => Services.GetRequiredService<InProcessEventBus>();

    /// <summary>What was logged about handlers that were stopped before they were done.</summary>
    public IEnumerable<string> UnhandledLog => Log.Lines.Where(l => l is { Id: 8, Level: LogLevel.Warning } && l.Message.Contains("handler")).Select(l => l.Message);

    /// <summary>A host with one bus that is not started yet.</summary>
    public static HandlerHost Create(Action<EventBusBuilder> configure) => new(services => configure(services.AddEventBus()));

    /// <summary>A host that is not started yet.</summary>
    public static HandlerHost CreateWith(Action<IServiceCollection> register) => new(register);

    /// <summary>A started host with one bus.</summary>
    public static async Task<HandlerHost> StartAsync(Action<EventBusBuilder> configure)
    {
        HandlerHost host = Create(configure);
        await host.StartAsync();
        return host;
    }

    public Task StartAsync() => _host.StartAsync().Soon();

    /// <summary>Stops the host; its limit is the token.</summary>
    public Task StopAsync(CancellationToken limit = default) => _host.StopAsync(limit);

    /// <summary>Ends when no handler has anything left to do.</summary>
    public Task WhenIdleAsync() => InProcessBus.Activity.WhenIdleAsync(CancellationToken.None).Soon();

    public async ValueTask DisposeAsync() => await ((IAsyncDisposable)_host).DisposeAsync().Soon();
}
