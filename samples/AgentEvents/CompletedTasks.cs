using EventBus;

namespace Samples.Agents;

/// <summary>Keeps completed tasks, and hears of nothing else: the bus filters by the type it subscribes to.</summary>
/// <remarks>Handled one at a time, and looked at after the bus has stopped: that is all the guarding it needs.</remarks>
internal sealed class CompletedTasks : IEventHandler<AgentEvent.TaskCompleted>
{
    private readonly List<FileFacts> _files = [];

    public IReadOnlyList<FileFacts> Files => _files;

    public ValueTask HandleAsync(Envelope<AgentEvent.TaskCompleted> envelope, CancellationToken cancellationToken)
    {
        _files.Add(envelope.Event.Facts);
        return default;
    }
}
