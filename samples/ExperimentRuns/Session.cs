using EventBus;

namespace Samples.Experiments;

/// <summary>A day in the laboratory: instances come, change and go, and four runs are under way at once.</summary>
internal sealed class Session(IEventBus bus, Laboratory laboratory, IRunDataStore store, Settings settings)
{
    /// <summary>Lives through it.</summary>
    /// <param name="stopping">Cancels all runs; what they found so far is kept.</param>
    /// <returns>Whether the store holds exactly what was broadcast.</returns>
    public async Task<bool> RunAsync(CancellationToken stopping)
    {
        await store.OpenAsync(CancellationToken.None);
        Console.WriteLine($"Logs and results go to {store.Description}.");
        using Recorder recorder = new(bus);

        Instance small = laboratory.CreateInstance("a small sweep", new SweepParameters([1_000, 10_000], Replicates: 3, Seed: 1));
        Instance wide = laboratory.CreateInstance("a wide sweep", new SweepParameters([1_000, 10_000, 100_000], Replicates: 8, Seed: 2));
        Instance broken = laboratory.CreateInstance("a sweep with a mistake", new SweepParameters([1_000, 0], Replicates: 2, Seed: 3));
        Instance endless = laboratory.CreateInstance("a sweep that nobody waits for", new SweepParameters([1_000, 1_000_000_000_000], 2, Seed: 4));
        wide = laboratory.UpdateInstance(wide.Id, wide.Parameters with { Samples = [.. wide.Parameters.Samples, 1_000_000] });

        RunViewer[] viewers = [.. ((Instance[])[small, wide, broken, endless]).Select(i => new RunViewer(bus, laboratory.CreateRun(i.Id)))];
        Task[] watching = [.. viewers.Select(v => v.WatchAsync(v.Run.InstanceId == endless.Id ? () => OnEndless(v.Run) : null))];
        Run[] ended = await Task.WhenAll(viewers.Select(v => Task.Run(() => laboratory.ExecuteAsync(v.Run, stopping), CancellationToken.None)));
        await Task.WhenAll(watching);
        laboratory.DeleteInstance(broken.Id);
        await recorder.StopAsync();

        List<StoredEvent> stored = [];
        await foreach (StoredEvent row in store.ReadAsync([.. ended.Select(r => Topics.Run(r.Id).Name)], CancellationToken.None))
            stored.Add(row);
        if (stopping.IsCancellationRequested)
            Console.WriteLine("Stopped; what the runs found so far is kept.");
        return new Report(recorder, viewers, stored).Print();
    }

    private void OnEndless(Run run)
    {
        if (settings.IsUntilStopped)
            Console.WriteLine($"The run {run.Id} goes on until Ctrl-C.");
        else
            laboratory.Cancel(run.Id);
    }
}
