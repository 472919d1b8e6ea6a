namespace Samples.Agents;

/// <summary>What all events have in common, for subscribers that want all of them.</summary>
internal interface ITaggedEvent
{
    /// <summary>What happened, as it is logged and counted: <c>task_completed</c>.</summary>
    string Tag { get; }

    /// <summary>Where it happened.</summary>
    string Node { get; }

    /// <summary>When it happened.</summary>
    DateTimeOffset Time { get; }
}
