using EventBus;

namespace Samples.Experiments;

/// <summary>Watches one run, as a page in a browser would, until its topic ends.</summary>
internal sealed class RunViewer(IEventBus bus, Run run)
{
    // What happened before the viewer came is replayed, so it misses nothing.
    private readonly Subscription<ExperimentEvent> _subscription = bus.Subscribe(
        Topics.Run(run.Id), new SubscriptionOptions { Capacity = 100_000, Replay = Replay.All });
    private readonly List<ExperimentEvent> _events = [];

    public Run Run => run;

    /// <summary>All that it saw; to be read after <see cref="WatchAsync"/>.</summary>
    public IReadOnlyList<ExperimentEvent> Events => _events;

    /// <summary>Watches to the end, which comes by itself.</summary>
    /// <param name="onResults">Called at the first results.</param>
    public async Task WatchAsync(Action? onResults = null)
    {
        await foreach ((_, ExperimentEvent seen) in _subscription)
        {
            _events.Add(seen);
            if (onResults is not null && seen is RunData.Results)
            {
                onResults();
                onResults = null;
            }
        }
    }
}
