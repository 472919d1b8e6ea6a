using System.Collections.Concurrent;
using EventBus;

namespace Samples.Bursts;

/// <summary>The human that agents are tethered to: answers, reviews and approves, each when the plan says.</summary>
internal sealed class Tether
{
    private static readonly TimeSpan ReviewTime = TimeSpan.FromSeconds(20);
    private readonly IEventBus _bus;
    private readonly TimeProvider _clock;
    private readonly WorkPlan _plan;
    private readonly ConcurrentBag<Task> _replies = [];

    public Tether(IEventBus bus, TimeProvider clock, WorkPlan plan, QuestionQueue questions, GroundingQueue mutations)
    {
        _bus = bus;
        _clock = clock;
        _plan = plan;
        bus.Handle<QuestionEvent.Asked>("tether:reaching", (envelope, _) =>
        {
            Question question = envelope.Event.Question;
            PlannedQuestion planned = plan[question.AgentId].Asks!;
            return After(TimeSpan.FromSeconds(planned.AnswerAfterSeconds), () => questions.Answer(question, planned.Answer));
        });
        bus.Handle<MutationEvent.Submitted>("tether:questions", (envelope, _) =>
        {
            MutationEntry entry = envelope.Event.Entry;
            PlannedMutation planned = plan[entry.AgentId].Mutates!;
            return After(TimeSpan.FromSeconds(planned.RespondAfterSeconds), () => mutations.Respond(entry, planned.IsApproved));
        });
        bus.Handle<DriftEvent.Created>("tether:drifts", (envelope, _) => After(ReviewTime, () => Review(envelope.Event.Assumption)));
    }

    /// <summary>Waits for everything that will still be said, late answers included.</summary>
    public Task WhenSilentAsync() => Task.WhenAll(_replies);

    private ValueTask After(TimeSpan delay, Action reply)
    {
        // The handler does not wait: others are to be heard meanwhile.
        _replies.Add(ReplyAsync());
        return default;

        async Task ReplyAsync()
        {
            await Task.Delay(delay, _clock);
            reply();
        }
    }

    private void Review(Assumption assumption)
    {
        (string drift, string agent, string text, string? question) = assumption;
        PlannedReview? planned = question is null ? _plan[agent].Assumes : null;
        switch (planned?.Verdict)
        {
            case Verdict.Confirm:
                _bus.Publish(Topics.Drifts, new DriftEvent.Confirmed(drift, agent, text, planned.Note));
                break;
            case Verdict.Reject:
                string correction = $"fix-{drift}";
                _plan.AddCorrection(correction, planned.Note);
                _bus.Publish(Topics.Drifts, new DriftEvent.Rejected(drift, agent, text, planned.Note, correction));
                break;
            default:
                _bus.Publish(Topics.Drifts, new DriftEvent.Noted(drift, planned?.Note ?? "The answer will come late."));
                break;
        }
    }
}
