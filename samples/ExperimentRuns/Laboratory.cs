using System.Collections.Concurrent;
using EventBus;

namespace Samples.Experiments;

/// <summary>Keeps instances, executes their runs, any number at once, and publishes what happens.</summary>
internal sealed class Laboratory(IEventBus bus, WriteBehindPublisher<RunData> data, TimeProvider timeProvider)
{
    private static readonly TimeSpan FlushLimit = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, Instance> _instances = new();
    private readonly ConcurrentDictionary<string, CancellationTokenSource> _running = new();

    public Instance CreateInstance(string name, SweepParameters parameters)
    {
        Instance instance = new(NewId(), name, parameters);
        _instances[instance.Id] = instance;
        Publish(new InstanceEvent.Created(instance));
        return instance;
    }

    public Instance UpdateInstance(string id, SweepParameters parameters)
    {
        Instance updated = _instances.AddOrUpdate(
            id, _ => throw new KeyNotFoundException($"There is no instance {id}."), (_, instance) => instance with { Parameters = parameters });
        Publish(new InstanceEvent.Updated(updated));
        return updated;
    }

    /// <summary>Deletes an instance; its runs stay in the store, its topic ends.</summary>
    public void DeleteInstance(string id)
    {
        if (!_instances.TryRemove(id, out _))
            return;
        Publish(new InstanceEvent.Deleted(id));
        bus.Complete(Topics.Instance(id).Name);
    }

    public Run CreateRun(string instanceId)
    {
        Run run = new(NewId(), instanceId, RunStatus.Created, timeProvider.GetUtcNow());
        _running[run.Id] = new CancellationTokenSource();
        Publish(new RunEvent.Created(run));
        return run;
    }

    /// <summary>Cancels a run that has not ended.</summary>
    public void Cancel(string runId)
    {
        if (_running.TryGetValue(runId, out CancellationTokenSource? source))
            source.Cancel();
    }

    /// <summary>Executes a run to its end, whatever that is.</summary>
    public async Task<Run> ExecuteAsync(Run run, CancellationToken stopping)
    {
        // Not disposed: somebody may be cancelling it at this moment, and without a timer there is nothing to free.
        CancellationTokenSource cancelled = _running[run.Id];
        using CancellationTokenRegistration stop = stopping.Register(cancelled.Cancel);
        Publish(new RunEvent.Started(To(run, RunStatus.Started)));
        RunEvent end;
        try
        {
            RunContext context = new(run.Id, bus, data, timeProvider);
            await PiSweep.ExecuteAsync(_instances[run.InstanceId].Parameters, context, cancelled.Token);
            end = new RunEvent.Completed(To(run, RunStatus.Completed));
        }
        catch (OperationCanceledException) when (cancelled.IsCancellationRequested)
        {
            end = new RunEvent.Cancelled(To(run, RunStatus.Cancelled));
        }
        catch (Exception exception) when (exception is InvalidOperationException or ArithmeticException)
        {
            end = new RunEvent.Failed(To(run, RunStatus.Failed), exception.Message);
        }

        // What the run had to say is stored and broadcast before its end is: the end overtakes nothing.
        await FlushAsync();
        _running.TryRemove(run.Id, out _);
        Publish(end);
        bus.Complete(Topics.Run(run.Id).Name);
        return end.Run;
    }

    private static string NewId() => Guid.NewGuid().ToString("N")[..12];

    private Run To(Run run, RunStatus status) => run with { Status = status, At = timeProvider.GetUtcNow() };

    private async Task FlushAsync()
    {
        using CancellationTokenSource limit = new(FlushLimit, timeProvider);
        try
        {
            await data.FlushAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new StoreUnavailableException($"The store did not take what the runs had to say within {FlushLimit.TotalSeconds:F0} s.");
        }
    }

    private void Publish(InstanceEvent @event)
    {
        bus.Publish(Topics.Instances, @event);
        bus.Publish(Topics.Instance(@event.InstanceId), @event);
    }

    private void Publish(RunEvent @event)
    {
        bus.Publish(Topics.Run(@event.Run.Id), @event);
        bus.Publish(Topics.Instance(@event.Run.InstanceId), @event);
    }
}
