namespace EventBus.Hosting;

/// <summary>A filter of all handlers of a bus.</summary>
/// <param name="Bus">The bus's key; null for the bus without a key.</param>
/// <param name="FilterType">The filter.</param>
/// <param name="From">Takes it from an attempt's scope.</param>
internal sealed record FilterRegistration(string? Bus, Type FilterType, Func<IServiceProvider, IHandlerFilter> From)
{
    /// <summary>What keeps the filter from being created, each sentence naming it; empty if nothing does.</summary>
    public IEnumerable<string> FaultsWith(DependencyCheck dependencies)
    {
        string on = Bus is null ? "" : $" on the bus \"{Bus}\"";
        return dependencies.FaultsOf(FilterType).Select(f => $"The filter {FilterType} of all handlers{on} cannot be created: {f}");
    }
}
