using EventBus;

namespace Samples.Runs;

/// <summary>
/// Follows one run. It comes late, when the run is half done, gets what it missed out of history, and ends when the run's topic
/// is completed: no event has to be looked at to know that there are no more.
/// </summary>
internal sealed class RunViewer
{
    private readonly Subscription<RunEvent> _subscription;

    private RunViewer(Subscription<RunEvent> subscription)
    {
        _subscription = subscription;

        // The run stands still until its viewer is there, so all that is to be read now is history.
        FromHistory = subscription.Count;
    }

    public int FromHistory { get; }

    public bool IsTruncated => _subscription.ReplayTruncated;

    public RunView View { get; } = new();

    public static async Task<RunViewer> JoinLateAsync(IEventBus bus, WordCountRun run)
    {
        await run.Halfway;
        SubscriptionOptions options = new()
        {
            Replay = Replay.All,
            WaitTimeout = WordCountRun.Patience,
            Name = $"viewer of {run.Topic}",
        };
        return new RunViewer(bus.Subscribe<RunEvent>(run.Topic, options));
    }

    public async Task ReadToEndAsync()
    {
        await foreach ((_, RunEvent @event) in _subscription)
            View.Add(@event);
    }
}
