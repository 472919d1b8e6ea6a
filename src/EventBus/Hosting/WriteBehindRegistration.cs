using Microsoft.Extensions.Options;

namespace EventBus.Hosting;

/// <summary>That a write-behind is registered: one for each event type of a bus.</summary>
/// <param name="Bus">The bus's key; null for the bus without a key.</param>
/// <param name="EventType">Its events.</param>
/// <param name="StoreType">Its store.</param>
internal sealed record WriteBehindRegistration(string? Bus, Type EventType, Type StoreType)
{
    /// <summary>The name of its options.</summary>
    public string OptionsName => Bus is null ? $"{EventType}" : $"{EventType} on the bus \"{Bus}\"";

    /// <summary>The name that configuration knows it by: that of its events' type, without the namespace.</summary>
    public string ConfigurationName => EventType.Name.Split('`')[0];

    /// <summary>The bus, under all of its service types, so that what is created after this is disposed before it.</summary>
    public InProcessEventBus BusIn(IServiceProvider services) => new BusRegistration(Bus).ResolveIn(services);

    /// <summary>What keeps the store from being created, each sentence naming it; empty if nothing does.</summary>
    public IEnumerable<string> FaultsWith(DependencyCheck dependencies) => dependencies.FaultsOf(StoreType, Bus)
        .Select(f => $"The store {StoreType} of the write-behind of {OptionsName} cannot be created: {f}");
}

/// <summary>Checks the options of every write-behind, with one message for all that is wrong.</summary>
internal sealed class WriteBehindOptionsValidator : IValidateOptions<WriteBehindOptions>
{
    public ValidateOptionsResult Validate(string? name, WriteBehindOptions options)
    {
        string[] failures = [.. options.Failures().Select(f => $"Options of the write-behind of {name}: {f}")];
        return failures.Length > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }
}
