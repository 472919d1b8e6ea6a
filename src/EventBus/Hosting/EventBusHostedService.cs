using EventBus.Handling;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Hosting;

/// <summary>Starts the handlers of all buses before any other service of the host starts, and stops them after all have stopped.</summary>
/// <remarks>
/// The host calls one method at a time, and the container disposes it at the end, whether the host was stopped or not. The buses are
/// asked for on construction, so that they are disposed after it.
/// </remarks>
internal sealed class EventBusHostedService : IHostedLifecycleService, IDisposable
{
    private readonly IServiceProvider _services;
    private readonly IServiceCollection _registered;
    private readonly InProcessEventBus[] _buses;
    private readonly List<HandlerSubscription> _running = [];

    public EventBusHostedService(IServiceProvider services, IServiceCollection registered)
    {
        _services = services;
        _registered = registered;
        _buses = [.. services.GetServices<BusRegistration>().Select(b => b.ResolveIn(services))];
    }

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        // Everything that is wrong with any handler is told at once, and before the first one subscribes.
        HandlerRegistration[] handlers = [.. _services.GetServices<HandlerRegistration>()];
        InProcessEventBus[] buses = Array.ConvertAll(handlers, h => h.Bus.BusIn(_services));
        HandlerOptions[] options = [.. handlers.Zip(buses, (h, bus) => h.OptionsFor(bus))];
        DependencyCheck check = new(_registered, _services.GetService<IServiceProviderIsService>());
        string[] faults = [.. handlers.Zip(options, (h, o) => h.FaultsWith(o, check)).SelectMany(f => f)];
        if (faults.Length > 0)
            throw new InvalidOperationException(string.Join(Environment.NewLine, faults));
        for (int i = 0; i < handlers.Length; i++)
            _running.Add(Subscribe(handlers[i], buses[i], options[i]));
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Lets handlers finish, now that every other service has stopped and publishes no more.</summary>
    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        _running.Clear();
        ActivityMonitor[] activities = Array.ConvertAll(_buses, b => b.Activity);
        await Task.WhenAll(activities.Select(a => a.FlushAsync(cancellationToken))).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using CancellationTokenSource stopped = new();
        Task allIdle = ActivityMonitor.WhenAllIdleAsync(activities, stopped.Token);
        await Task.WhenAll(activities.SelectMany(a => a.Loops()).Select(l => l.StopWhenIdleAsync(allIdle, cancellationToken)))
            .ConfigureAwait(false);
        await stopped.CancelAsync().ConfigureAwait(false);
    }

    /// <summary>Stops what still runs because the host was never stopped: a container that is disposed makes no scopes for handlers.</summary>
    public void Dispose()
    {
        foreach (HandlerSubscription subscription in _running)
            subscription.Abort();
        _running.Clear();
    }

    private HandlerSubscription Subscribe(HandlerRegistration handler, InProcessEventBus bus, HandlerOptions options)
    {
        try
        {
            return handler.Subscribe(bus, _services, options);
        }
        catch (Exception exception)
        {
            Dispose();
            throw new InvalidOperationException($"The handler {handler} cannot be started: {exception.Message}", exception);
        }
    }
}
