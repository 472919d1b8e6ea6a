using EventBus;

namespace Samples.Runs;

/// <summary>
/// Has room for two events and reads nothing until a gate opens. It loses the older ones, and is told so by the first event it
/// reads after the gap.
/// </summary>
internal sealed class SlowReader
{
    private readonly Subscription<RunEvent> _subscription;

    public SlowReader(IEventBus bus) => _subscription = bus.Subscribe<RunEvent>(
        "run:#", new() { Capacity = 2, Overflow = OverflowPolicy.DropOldest, Name = "slow reader" });

    public long Delivered => _subscription.Delivered;

    public long Dropped => _subscription.Dropped;

    /// <summary>Where events were missed: so many of them, directly before this one.</summary>
    public List<(long Missed, string Topic, RunEvent Before)> Gaps { get; } = [];

    public async Task ReadAsync(Task gate)
    {
        await gate;

        // Nothing more is to come: what is queued is read, then the loop ends.
        Task drained = _subscription.DrainAsync().AsTask();
        await foreach (Envelope<RunEvent> envelope in _subscription)
        {
            if (envelope.Missed > 0)
                Gaps.Add((envelope.Missed, envelope.Topic, envelope.Event));
        }

        await drained;
    }
}
