using EventBus;

namespace Samples.Agents;

/// <summary>What an agent has to tell. The hierarchy is closed: these five are all there is.</summary>
internal abstract record AgentEvent : ITaggedEvent
{
    /// <summary>Every event of every agent; the events of one agent are also published to <see cref="TopicOf"/> it.</summary>
    public static readonly Topic<AgentEvent> Topic = new("agent:events");

    private AgentEvent(string agent, string node, DateTimeOffset time)
    {
        Agent = agent;
        Node = node;
        Time = time;
    }

    public string Agent { get; }

    public string Node { get; }

    public DateTimeOffset Time { get; }

    public abstract string Tag { get; }

    public static Topic<AgentEvent> TopicOf(string agent) => new(EventBus.Topic.Join("agent", "events", agent));

    internal sealed record Started(string Agent, string Node, DateTimeOffset Time) : AgentEvent(Agent, Node, Time)
    {
        public override string Tag => "agent_started";
    }

    internal sealed record TaskReceived(string Agent, string Node, DateTimeOffset Time, string File) : AgentEvent(Agent, Node, Time)
    {
        public override string Tag => "task_received";
    }

    internal sealed record TaskCompleted(string Agent, string Node, DateTimeOffset Time, FileFacts Facts) : AgentEvent(Agent, Node, Time)
    {
        public override string Tag => "task_completed";
    }

    internal sealed record TaskFailed(string Agent, string Node, DateTimeOffset Time, string File, string Reason)
        : AgentEvent(Agent, Node, Time)
    {
        public override string Tag => "task_failed";
    }

    internal sealed record Stopped(string Agent, string Node, DateTimeOffset Time) : AgentEvent(Agent, Node, Time)
    {
        public override string Tag => "agent_stopped";
    }
}

/// <summary>What an agent finds out about a file; the file is named from the folder looked through.</summary>
internal sealed record FileFacts(string File, long Bytes, long Lines, string Sha256);
