using EventBus;

namespace Samples.Bursts;

/// <summary>Every topic there is, with the events it carries: publishing anything else to it does not compile.</summary>
internal static class Topics
{
    public static readonly Topic<MailEvent.BroadcastMessage> Broadcast = new("agent:mail:broadcast");
    public static readonly Topic<QuestionEvent> Reaching = new("tether:reaching");
    public static readonly Topic<DriftEvent> Drifts = new("tether:drifts");
    public static readonly Topic<MutationEvent> Questions = new("tether:questions");
    public static readonly Topic<BurstEvent> Burst = new("burst:events");
    public static readonly Topic<ReflectionEvent.Started> ReflectionStarted = new("reflection:started");
    public static readonly Topic<ReflectionEvent.Extracting> ReflectionExtracting = new("reflection:extracting");
    public static readonly Topic<ReflectionEvent.Proposing> ReflectionProposing = new("reflection:proposing");
    public static readonly Topic<ReflectionEvent.Evaluating> ReflectionEvaluating = new("reflection:evaluating");
    public static readonly Topic<ReflectionEvent.Curating> ReflectionCurating = new("reflection:curating");
    public static readonly Topic<ReflectionEvent.Completed> ReflectionCompleted = new("reflection:completed");
    public static readonly Topic<ReflectionEvent.Cached> ReflectionCached = new("reflection:cached");
    public static readonly Topic<ReflectionEvent.Error> ReflectionError = new("reflection:error");

    /// <summary>The topic of one agent. <c>agent:*</c> hears them all, and none of the mailboxes, which are a segment deeper.</summary>
    public static Topic<AgentEvent> Agent(string id) => new(Topic.Join("agent", id));

    /// <summary>The mailbox of one agent.</summary>
    public static Topic<MailEvent.NewMessage> Mail(string id) => new(Topic.Join("agent", "mail", id));
}
