using EventBus;

namespace Samples.Experiments;

/// <summary>Listens to every topic from the beginning, and keeps what was broadcast.</summary>
internal sealed class Recorder : IDisposable
{
    private readonly Subscription<ExperimentEvent> _subscription;
    private readonly List<Envelope<ExperimentEvent>> _events = [];
    private readonly Task _reading;

    public Recorder(IEventBus bus)
    {
        _subscription = bus.Subscribe<ExperimentEvent>(Topics.Everything, new SubscriptionOptions { Capacity = 1_000_000, Name = "recorder" });
        _reading = Task.Run(ReadAsync);
    }

    /// <summary>What was broadcast, in order. To be read after <see cref="StopAsync"/>.</summary>
    public IReadOnlyList<Envelope<ExperimentEvent>> Events => _events;

    public long Dropped => _subscription.Dropped;

    public async Task StopAsync()
    {
        await _subscription.DrainAsync();
        await _reading;
    }

    public void Dispose() => _subscription.Dispose();

    private async Task ReadAsync()
    {
        await foreach (Envelope<ExperimentEvent> envelope in _subscription)
            _events.Add(envelope);
    }
}
