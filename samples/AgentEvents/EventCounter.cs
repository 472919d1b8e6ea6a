using EventBus;

namespace Samples.Agents;

/// <summary>Counts the events of each tag.</summary>
/// <remarks>Handled one at a time, and looked at after the bus has stopped: that is all the guarding it needs.</remarks>
internal sealed class EventCounter : IEventHandler<ITaggedEvent>
{
    private readonly Dictionary<string, long> _counts = [];

    public long CountOf(string tag) => _counts.GetValueOrDefault(tag);

    public ValueTask HandleAsync(Envelope<ITaggedEvent> envelope, CancellationToken cancellationToken)
    {
        _counts[envelope.Event.Tag] = CountOf(envelope.Event.Tag) + 1;
        return default;
    }
}
