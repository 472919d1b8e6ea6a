using EventBus;

namespace Samples.Agents;

/// <summary>What a node has to tell: that it is there, and that it goes.</summary>
internal abstract record ClusterEvent : ITaggedEvent
{
    public static readonly Topic<ClusterEvent> Topic = new("cluster:events");

    private ClusterEvent(string node, DateTimeOffset time)
    {
        Node = node;
        Time = time;
    }

    public string Node { get; }

    public DateTimeOffset Time { get; }

    public abstract string Tag { get; }

    internal sealed record NodeUp(string Node, DateTimeOffset Time) : ClusterEvent(Node, Time)
    {
        public override string Tag => "node_up";
    }

    internal sealed record NodeDown(string Node, DateTimeOffset Time) : ClusterEvent(Node, Time)
    {
        public override string Tag => "node_down";
    }
}
