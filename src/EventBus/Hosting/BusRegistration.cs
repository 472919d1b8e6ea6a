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
}
