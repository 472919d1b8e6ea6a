namespace Samples.Bursts;

/// <summary>What all events have in common: the tag by which they are catalogued.</summary>
internal interface ITagged
{
    string Tag { get; }
}

/// <summary>What happens to one agent, on <see cref="Topics.Agent"/>.</summary>
internal abstract record AgentEvent(string Tag) : ITagged
{
    internal sealed record PhaseChange(Phase Old, Phase New, string State) : AgentEvent("phase_change");

    internal sealed record Delta(string Text) : AgentEvent("delta");

    internal sealed record ToolUpdate(string CallId, string Partial) : AgentEvent("tool_update");

    internal sealed record ToolResults(IReadOnlyList<ToolResult> Results) : AgentEvent("tool_results");

    internal sealed record Done() : AgentEvent("done");

    internal sealed record Error(string Reason) : AgentEvent("error");
}

internal enum Phase
{
    Idle,
    Thinking,
    Working,
    Reaching,
    Finished,
}

internal sealed record ToolResult(string CallId, string Output);

/// <summary>A message in an agent's mailbox, or in everyone's.</summary>
internal abstract record MailEvent(string Tag) : ITagged
{
    internal sealed record NewMessage(string From, string Subject, string MessageId, int Priority) : MailEvent("new_message");

    internal sealed record BroadcastMessage(string From, string Subject, string MessageId) : MailEvent("broadcast_message");
}

/// <summary>What becomes of a question to the human that the agents are tethered to.</summary>
internal abstract record QuestionEvent(string Tag, Question Question) : ITagged
{
    internal sealed record Asked(Question Question) : QuestionEvent("question_asked", Question);

    internal sealed record Answered(Question Question, string Answer) : QuestionEvent("question_answered", Question);

    internal sealed record TimedOut(Question Question) : QuestionEvent("question_timed_out", Question);

    internal sealed record LateAnswer(Question Question, string Answer) : QuestionEvent("late_answer", Question);
}

internal sealed record Question(string Id, string AgentId, string Text);

/// <summary>What becomes of an assumption that stands in for an answer.</summary>
internal abstract record DriftEvent(string Tag) : ITagged
{
    internal sealed record Created(Assumption Assumption) : DriftEvent("drift_created");

    internal sealed record Confirmed(string DriftId, string AgentId, string Text, string Note) : DriftEvent("drift_confirmed");

    internal sealed record Rejected(string DriftId, string AgentId, string Text, string Reason, string CorrectionItemId)
        : DriftEvent("drift_rejected");

    internal sealed record Noted(string DriftId, string Note) : DriftEvent("drift_noted");

    internal sealed record Superseded(string DriftId, string QuestionId, string Answer, string CorrectionItemId)
        : DriftEvent("drift_superseded");

    internal sealed record PipelineDrift(MutationEntry Entry, string Assumption, string MutationType) : DriftEvent("pipeline_drift");
}

/// <summary>An assumption, and the question it stands in for, if there was one.</summary>
internal sealed record Assumption(string DriftId, string AgentId, string Text, string? QuestionId);

/// <summary>A change to the pipeline that waits for approval.</summary>
internal abstract record MutationEvent(string Tag, MutationEntry Entry) : ITagged
{
    internal sealed record Submitted(MutationEntry Entry) : MutationEvent("pipeline_mutation_submitted", Entry);

    internal sealed record Responded(MutationEntry Entry) : MutationEvent("pipeline_mutation_responded", Entry);
}

internal sealed record MutationEntry(string Id, string AgentId, string Type, bool? IsApproved = null);

/// <summary>How a burst goes on: a run through all work items, in waves.</summary>
internal abstract record BurstEvent(string Tag) : ITagged
{
    internal sealed record Started(string BurstId, int WaveCount, DateTimeOffset StartedAt) : BurstEvent("burst_start");

    internal sealed record WaveCompleted(int WaveCount, int BurstCount, int TotalItems, int Succeeded, int Failed, long DurationMs)
        : BurstEvent("wave_complete");

    internal sealed record Completed(string BurstId, int Succeeded, int Failed) : BurstEvent("burst_complete");
}

/// <summary>A stage of looking back at a burst; each has a topic of its own.</summary>
internal abstract record ReflectionEvent(string Tag) : ITagged
{
    internal sealed record Started(string BurstId) : ReflectionEvent("started");

    internal sealed record Extracting(string BurstId) : ReflectionEvent("extracting");

    internal sealed record Proposing(string BurstId) : ReflectionEvent("proposing");

    internal sealed record Evaluating(string BurstId) : ReflectionEvent("evaluating");

    internal sealed record Curating(string BurstId) : ReflectionEvent("curating");

    internal sealed record Completed(string BurstId, string Summary) : ReflectionEvent("completed");

    internal sealed record Cached(string BurstId) : ReflectionEvent("cached");

    internal sealed record Error(string Stage, string Reason) : ReflectionEvent("error");
}
