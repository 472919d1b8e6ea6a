using EventBus;

namespace Samples.Bursts;

/// <summary>Lets an answer that came late supersede the assumption made in its place.</summary>
internal sealed class LateAnswers
{
    private readonly IEventBus _bus;
    private readonly WorkPlan _plan;
    private readonly Dictionary<string, string> _driftByQuestion = new(StringComparer.Ordinal);

    public LateAnswers(IEventBus bus, WorkPlan plan)
    {
        _bus = bus;
        _plan = plan;

        // One subscription to both topics: the assumption and the late answer come in the order in which they were published.
        bus.Handle<ITagged>(["tether:drifts", "tether:reaching"], Handle);
    }

    private ValueTask Handle(Envelope<ITagged> envelope, CancellationToken cancellationToken)
    {
        switch (envelope.Event)
        {
            case DriftEvent.Created { Assumption: { QuestionId: { } question } assumption }:
                _driftByQuestion[question] = assumption.DriftId;
                break;
            case QuestionEvent.LateAnswer late when _driftByQuestion.Remove(late.Question.Id, out string? drift):
                string correction = $"fix-{drift}";
                _plan.AddCorrection(correction, late.Answer);
                _bus.Publish(Topics.Drifts, new DriftEvent.Superseded(drift, late.Question.Id, late.Answer, correction));
                break;
        }

        return default;
    }
}
