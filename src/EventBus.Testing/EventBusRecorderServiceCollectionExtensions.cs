using EventBus;
using EventBus.Testing;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Recording the bus of a host under test.</summary>
public static class EventBusRecorderServiceCollectionExtensions
{
    /// <summary>Records every event of the host's bus, from before its first service starts.</summary>
    /// <param name="services">The services of the host under test, in which <c>AddEventBus()</c> registers the bus.</param>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <returns>The services.</returns>
    /// <remarks>Resolve the recorder as <c>EventRecorder&lt;object&gt;</c>, and <see cref="IEventBus"/> to wait until it is idle.</remarks>
    public static IServiceCollection AddEventBusRecorder(this IServiceCollection services, string pattern = "#") =>
        services.AddEventBusRecorder<object>(pattern);

    /// <summary>Records the events of a type, from before the host's first service starts.</summary>
    /// <typeparam name="TEvent">Which events. There is one recorder for each type; the first call decides its pattern.</typeparam>
    /// <param name="services">The services of the host under test, in which <c>AddEventBus()</c> registers the bus.</param>
    /// <param name="pattern">A topic, or a pattern with wildcards.</param>
    /// <returns>The services.</returns>
    /// <remarks>Resolve the recorder as <see cref="EventRecorder{TEvent}"/>, and <see cref="IEventBus"/> to wait until it is idle.</remarks>
    public static IServiceCollection AddEventBusRecorder<TEvent>(this IServiceCollection services, string pattern = "#")
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(pattern);
        services.TryAddSingleton(provider => provider.GetRequiredService<IEventBus>().Record<TEvent>(pattern));

        // The host makes all its services before it starts the first; this one is made for the recorder's sake.
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, RecorderStart<TEvent>>());
        return services;
    }

    private sealed class RecorderStart<TEvent> : IHostedService
        where TEvent : notnull
    {
        public RecorderStart(EventRecorder<TEvent> recorder) => ArgumentNullException.ThrowIfNull(recorder);

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
