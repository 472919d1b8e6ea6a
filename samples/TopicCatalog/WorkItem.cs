namespace Samples.Bursts;

/// <summary>A piece of work as the file has it, with what will happen while an agent does it.</summary>
/// <param name="Id">Its name, and that of the agent who does it.</param>
/// <param name="DependsOn">The items that must have succeeded before.</param>
/// <param name="Output">What the agent says, word by word.</param>
/// <param name="WorkSeconds">How long its tool runs.</param>
/// <param name="Asks">What the agent asks the human.</param>
/// <param name="Assumes">What the agent takes for granted.</param>
/// <param name="Mutates">What the agent wants changed about the pipeline.</param>
/// <param name="FailsWith">Why it fails; null: it succeeds.</param>
internal sealed record WorkItem(
    string Id,
    IReadOnlyList<string> DependsOn,
    string Output,
    int WorkSeconds,
    PlannedQuestion? Asks = null,
    PlannedReview? Assumes = null,
    PlannedMutation? Mutates = null,
    string? FailsWith = null);

/// <summary>A question, and when the human will answer it.</summary>
internal sealed record PlannedQuestion(string Text, string Answer, int AnswerAfterSeconds);

/// <summary>An assumption, and what the human will say to it.</summary>
internal sealed record PlannedReview(string Text, Verdict Verdict, string Note);

/// <summary>A change to the pipeline, and when the human will decide on it.</summary>
internal sealed record PlannedMutation(string Type, bool IsApproved, int RespondAfterSeconds);

internal enum Verdict
{
    Confirm,
    Reject,
    Note,
}
