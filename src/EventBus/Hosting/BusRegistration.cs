using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Hosting;

/// <summary>That a bus is registered, so that the host starts and stops its handlers.</summary>
/// <param name="Name">Its key; null for the bus without a key.</param>
internal sealed record BusRegistration(string? Name)
{
    /// <summary>The bus.</summary>
    public InProcessEventBus BusIn(IServiceProvider services) => Name is null
        ? services.GetRequiredService<InProcessEventBus>()
        : services.GetRequiredKeyedService<InProcessEventBus>(Name);

    /// <summary>
    /// The bus, under all of its service types. The container disposes a singleton once for each of them, in reverse order of their
    /// resolving; so what is created after this is disposed before the bus is, for the first time.
    /// </summary>
    public InProcessEventBus ResolveIn(IServiceProvider services)
    {
        InProcessEventBus bus = BusIn(services);
        if (Name is null)
        {
            services.GetService<IEventBus>();
            services.GetService<IEventPublisher>();
        }
        else
        {
            services.GetKeyedService<IEventBus>(Name);
            services.GetKeyedService<IEventPublisher>(Name);
        }

        return bus;
    }
}
