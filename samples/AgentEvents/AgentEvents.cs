using EventBus;

namespace Samples.Agents;

/// <summary>The bus as agents know it: what happened to them, and nothing of topics.</summary>
/// <remarks>
/// Every event goes to the topic of all agents and to its agent's own, so that who cares for one agent need not look through the
/// events of all. Publishing waits for subscribers that are full: agents may be fast enough to outrun a logger, and nothing may be lost.
/// </remarks>
internal sealed class AgentEvents(IEventBus bus, TimeProvider time)
{
    public ValueTask Started(string agent) => PublishAsync(new AgentEvent.Started(agent, bus.NodeName, time.GetUtcNow()));

    public ValueTask TaskReceived(string agent, string file) =>
        PublishAsync(new AgentEvent.TaskReceived(agent, bus.NodeName, time.GetUtcNow(), file));

    public ValueTask TaskCompleted(string agent, FileFacts facts) =>
        PublishAsync(new AgentEvent.TaskCompleted(agent, bus.NodeName, time.GetUtcNow(), facts));

    public ValueTask TaskFailed(string agent, string file, string reason) =>
        PublishAsync(new AgentEvent.TaskFailed(agent, bus.NodeName, time.GetUtcNow(), file, reason));

    public ValueTask Stopped(string agent) => PublishAsync(new AgentEvent.Stopped(agent, bus.NodeName, time.GetUtcNow()));

    private async ValueTask PublishAsync(AgentEvent @event)
    {
        Topic<AgentEvent> own = AgentEvent.TopicOf(@event.Agent);
        await bus.PublishAsync(AgentEvent.Topic, @event);
        await bus.PublishAsync(own, @event);
    }
}
