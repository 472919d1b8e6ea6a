using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>What <c>AddEventBus()</c> returns: where handlers and write-behind of one bus are registered.</summary>
public sealed class EventBusBuilder
{
    internal EventBusBuilder(IServiceCollection services, string? name)
    {
        Services = services;
        Name = name;
    }

    /// <summary>The services the bus is registered in.</summary>
    public IServiceCollection Services { get; }

    /// <summary>The key of a keyed bus, which is also the name of its options; null for the bus without a key.</summary>
    public string? Name { get; }
}
