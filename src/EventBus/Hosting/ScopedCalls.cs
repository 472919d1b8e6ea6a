using EventBus.Handling;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Hosting;

/// <summary>Runs handlers in scopes: every attempt to deliver an event, or a batch, gets a fresh one, which is disposed after it.</summary>
internal sealed class ScopedCalls<TEvent>(IServiceProvider services)
    where TEvent : notnull
{
    private readonly IServiceScopeFactory _scopes = services.GetRequiredService<IServiceScopeFactory>();

    /// <summary>A handler that the container creates.</summary>
    public HandlerCall<TEvent> ForEach<THandler>(string name)
        where THandler : class, IEventHandler<TEvent> =>
        HandlerCall<TEvent>.ForEach(
            async (envelope, cancellationToken) =>
            {
                AsyncServiceScope scope = BeginScope();
                await using (scope.ConfigureAwait(false))
                {
                    THandler handler = scope.ServiceProvider.GetRequiredService<THandler>();
                    await handler.HandleAsync(envelope, cancellationToken).ConfigureAwait(false);
                }
            },
            name);

    /// <summary>A delegate that takes what it needs from the scope.</summary>
    public HandlerCall<TEvent> ForEach(Func<IServiceProvider, Envelope<TEvent>, CancellationToken, ValueTask> handler, string name) =>
        HandlerCall<TEvent>.ForEach(
            async (envelope, cancellationToken) =>
            {
                AsyncServiceScope scope = BeginScope();
                await using (scope.ConfigureAwait(false))
                    await handler(scope.ServiceProvider, envelope, cancellationToken).ConfigureAwait(false);
            },
            name);

    /// <summary>A batch handler that the container creates.</summary>
    public HandlerCall<TEvent> ForBatch<THandler>(string name)
        where THandler : class, IBatchEventHandler<TEvent> =>
        HandlerCall<TEvent>.ForBatch(
            async (batch, cancellationToken) =>
            {
                AsyncServiceScope scope = BeginScope();
                await using (scope.ConfigureAwait(false))
                {
                    THandler handler = scope.ServiceProvider.GetRequiredService<THandler>();
                    await handler.HandleAsync(batch, cancellationToken).ConfigureAwait(false);
                }
            },
            name);

    private AsyncServiceScope BeginScope()
    {
        try
        {
            return _scopes.CreateAsyncScope();
        }
        catch (ObjectDisposedException exception)
        {
            throw new HandlerUnavailableException(exception);
        }
    }
}
