using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Handling;

/// <summary>What a container gives to the attempts of a bus's handlers: a scope for each, and out of it the filters of all handlers.</summary>
/// <param name="scopes">Makes the scopes.</param>
/// <param name="filters">Takes each filter from an attempt's scope, the outermost first.</param>
internal sealed class AttemptScopes(IServiceScopeFactory scopes, Func<IServiceProvider, IHandlerFilter>[] filters)
{
    /// <summary>Whether there are filters, so that each attempt needs a scope.</summary>
    public bool HasFilters => filters.Length > 0;

    /// <summary>Begins a scope.</summary>
    /// <exception cref="HandlerUnavailableException">The container is disposed.</exception>
    public AsyncServiceScope Begin()
    {
        try
        {
            return scopes.CreateAsyncScope();
        }
        catch (ObjectDisposedException exception)
        {
            throw new HandlerUnavailableException(exception);
        }
    }

    /// <summary>The filters of one attempt.</summary>
    public IEnumerable<IHandlerFilter> FiltersFrom(IServiceProvider services) => filters.Select(f => f(services));
}
