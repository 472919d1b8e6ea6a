using EventBus;

namespace Samples.Bursts;

/// <summary>Does one work item, and tells of every step.</summary>
internal sealed class Agent(
    IEventPublisher bus, TimeProvider clock, WorkPlan plan, QuestionQueue questions, GroundingQueue mutations, WorkItem item)
{
    private readonly Topic<AgentEvent> _topic = Topics.Agent(item.Id);
    private Phase _phase = Phase.Idle;

    /// <returns>Whether the item succeeded.</returns>
    public async Task<bool> WorkAsync()
    {
        Enter(Phase.Thinking);
        foreach (string word in item.Output.Split(' '))
        {
            await Task.Delay(TimeSpan.FromSeconds(1), clock);
            bus.Publish(_topic, new AgentEvent.Delta(word));
        }

        await ReachAsync();
        Enter(Phase.Working);
        await RunToolAsync();
        Enter(Phase.Finished);
        if (item.FailsWith is { } reason)
        {
            bus.Publish(_topic, new AgentEvent.Error(reason));
            return false;
        }

        foreach (string dependent in plan.DependentsOf(item.Id))
        {
            MailEvent.NewMessage message = new(item.Id, $"{item.Id} is done", $"{item.Id}>{dependent}", Priority: 1);
            bus.Publish(Topics.Mail(dependent), message);
        }

        plan.Succeeded(item.Id);
        bus.Publish(_topic, new AgentEvent.Done());
        return true;
    }

    /// <summary>Turns to the human, and assumes something where no answer comes.</summary>
    private async Task ReachAsync()
    {
        if (item.Asks is { } asks)
        {
            Enter(Phase.Reaching);
            Question question = new($"question-{item.Id}", item.Id, asks.Text);
            if (await questions.AskAsync(question) is null)
                Assume($"drift-{item.Id}-question", $"No answer to: {asks.Text}", question.Id);
        }

        if (item.Assumes is { } assumes)
            Assume($"drift-{item.Id}", assumes.Text, question: null);
        if (item.Mutates is { } mutates)
        {
            Enter(Phase.Reaching);
            await mutations.SubmitAsync(new MutationEntry($"mutation-{item.Id}", item.Id, mutates.Type));
        }
    }

    private async Task RunToolAsync()
    {
        string call = $"call-{item.Id}";
        TimeSpan half = TimeSpan.FromSeconds(item.WorkSeconds) / 2;
        await Task.Delay(half, clock);
        bus.Publish(_topic, new AgentEvent.ToolUpdate(call, "half way"));
        await Task.Delay(half, clock);
        bus.Publish(_topic, new AgentEvent.ToolResults([new ToolResult(call, item.FailsWith ?? "ok")]));
    }

    private void Assume(string drift, string text, string? question) =>
        bus.Publish(Topics.Drifts, new DriftEvent.Created(new Assumption(drift, item.Id, text, question)));

    private void Enter(Phase phase)
    {
        if (phase == _phase)
            return;
        bus.Publish(_topic, new AgentEvent.PhaseChange(_phase, phase, item.Id));
        _phase = phase;
    }
}
