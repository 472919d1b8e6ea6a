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
        // Everything that is wrong with any handler or store is told at once, and before the first one subscribes.
        BusConfiguration[] configured = [.. _services.GetServices<BusConfiguration>()];
        WriteBehindRegistration[] writeBehinds = [.. _services.GetServices<WriteBehindRegistration>().Distinct()];
        HandlerStart[] handlers = [.. _services.GetServices<HandlerRegistration>().Select(h => new HandlerStart(h, _services, configured))];
        DependencyCheck check = new(_registered, _services.GetService<IServiceProviderIsService>());
        string[] faults =
        [
            .. configured.SelectMany(c => c.Strays(
                handlers.Where(h => h.Bus == c.Bus).Select(h => h.Name),
                writeBehinds.Where(w => w.Bus == c.Bus).Select(w => w.ConfigurationName))),
            .. _services.GetServices<FilterRegistration>().Distinct().SelectMany(f => f.FaultsWith(check)),
            .. handlers.SelectMany(h => h.FaultsWith(check)),
            .. writeBehinds.SelectMany(w => w.FaultsWith(check)),
        ];
        if (faults.Length > 0)
            throw new InvalidOperationException(string.Join(Environment.NewLine, faults));
        foreach (HandlerStart handler in handlers)
            _running.Add(Subscribe(handler));
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

        // A store that is down may take all of the host's time: until then batches and retries must not have waited for theirs.
        foreach (HandlerLoop loop in activities.SelectMany(a => a.Loops()))
            loop.Hurry();
        IActivity[][] stuck = await Task.WhenAll(activities.Select(a => a.FlushAsync(cancellationToken))).ConfigureAwait(false);
        using CancellationTokenSource stopped = new();
        Task allDone = ActivityMonitor.WhenDoneAsync(activities, [.. stuck.SelectMany(s => s)], stopped.Token);
        await Task.WhenAll(activities.SelectMany(a => a.Loops()).Select(l => l.StopWhenIdleAsync(allDone, cancellationToken)))
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

    private HandlerSubscription Subscribe(HandlerStart handler)
    {
        try
        {
            return handler.Subscribe();
        }
        catch
        {
            Dispose();
            throw;
        }
    }
}
