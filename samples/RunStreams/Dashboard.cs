using EventBus;

namespace Samples.Runs;

/// <summary>Follows all runs at once, from the moment it is there, and leaves when it has seen each of them finish.</summary>
internal sealed class Dashboard
{
    private readonly Subscription<RunEvent> _subscription;
    private readonly int _runs;
    private readonly Dictionary<string, RunView> _views = [];
    private string? _lastTopic;

    public Dashboard(IEventBus bus, int runs)
    {
        _subscription = bus.Subscribe<RunEvent>("run:#", new() { WaitTimeout = WordCountRun.Patience, Name = "dashboard" });
        _runs = runs;
    }

    public IReadOnlyDictionary<string, RunView> Views => _views;

    public long Events { get; private set; }

    /// <summary>How often the next event was another run's.</summary>
    public int Switches { get; private set; }

    /// <summary>Whether the events of all runs came in one order.</summary>
    public bool IsInOrder { get; private set; } = true;

    public async Task ReadAsync()
    {
        long last = 0;
        int finished = 0;
        await foreach (Envelope<RunEvent> envelope in _subscription)
        {
            Events++;
            IsInOrder &= envelope.Sequence > last;
            last = envelope.Sequence;
            if (_lastTopic is not null && _lastTopic != envelope.Topic)
                Switches++;
            _lastTopic = envelope.Topic;
            if (!_views.TryGetValue(envelope.Topic, out RunView? view))
                _views.Add(envelope.Topic, view = new RunView());
            view.Add(envelope.Event);

            // Leaving the loop unsubscribes. A pattern never completes: another run may always begin.
            if (envelope.Event is RunEvent.Finished && ++finished == _runs)
                break;
        }
    }
}
