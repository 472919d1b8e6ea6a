using EventBus;

namespace Samples.Bursts;

/// <summary>Questions of agents to the human.</summary>
internal sealed class QuestionQueue(IEventPublisher bus, TimeProvider clock)
{
    private readonly OpenRequests<Reply> _open = new(clock);

    /// <summary>Asks, and waits for two minutes.</summary>
    /// <returns>The answer; null if there was none in time.</returns>
    public async Task<string?> AskAsync(Question question)
    {
        Reply? reply = await _open.WaitAsync(question.Id, () => bus.Publish(Topics.Reaching, new QuestionEvent.Asked(question)));
        if (reply is null)
            bus.Publish(Topics.Reaching, new QuestionEvent.TimedOut(question));
        return reply?.Answer;
    }

    /// <summary>Answers; after the two minutes the answer comes late, and is told all the same.</summary>
    public void Answer(Question question, string answer)
    {
        bool isInTime = _open.TryReply(
            question.Id, new Reply(answer), () => bus.Publish(Topics.Reaching, new QuestionEvent.Answered(question, answer)));
        if (!isInTime)
            bus.Publish(Topics.Reaching, new QuestionEvent.LateAnswer(question, answer));
    }

    private readonly record struct Reply(string Answer);
}
