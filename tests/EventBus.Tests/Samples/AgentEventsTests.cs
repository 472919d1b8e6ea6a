using EventBus.Testing;
using Samples.Agents;

namespace EventBus.Tests.Samples;

public sealed class AgentEventsTests
{
    private static readonly FileFacts Facts = new("a.txt", Bytes: 3, Lines: 1, Sha256: "00");

    [Fact]
    public async Task EveryMethod_GoesToAllAgentsTopicAndToItsOwn()
    {
        FakeTimeProvider clock = new();
        await using InProcessEventBus bus = new(new EventBusOptions { NodeName = "here" }.KeepHistory("agent:#"), timeProvider: clock);
        AgentEvents events = new(bus, clock);

        await events.Started("Worker-1");
        await events.TaskReceived("Worker-1", "a.txt");
        await events.TaskCompleted("Worker-1", Facts);
        await events.TaskFailed("Worker-1", "b.txt", "gone");
        await events.Stopped("Worker-1");
        await events.Started("Worker-2");

        DateTimeOffset now = clock.GetUtcNow();
        AgentEvent[] first =
        [
            new AgentEvent.Started("Worker-1", "here", now),
            new AgentEvent.TaskReceived("Worker-1", "here", now, "a.txt"),
            new AgentEvent.TaskCompleted("Worker-1", "here", now, Facts),
            new AgentEvent.TaskFailed("Worker-1", "here", now, "b.txt", "gone"),
            new AgentEvent.Stopped("Worker-1", "here", now),
        ];
        AgentEvent second = new AgentEvent.Started("Worker-2", "here", now);
        HistoryOf(bus, "agent:events").Should().Equal([.. first, second]);
        HistoryOf(bus, "agent:events:Worker-1").Should().Equal(first);
        HistoryOf(bus, "agent:events:Worker-2").Should().Equal(second);
        first.Select(e => e.Tag).Should().Equal("agent_started", "task_received", "task_completed", "task_failed", "agent_stopped");
    }

    [Fact]
    public async Task AgentWhoseNameIsNoSegment_PublishesNothing()
    {
        await using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("agent:#"));
        AgentEvents events = new(bus, TimeProvider.System);

        Func<Task> start = async () => await events.Started("Worker:1");

        await start.Should().ThrowAsync<ArgumentException>();
        HistoryOf(bus, "agent:events").Should().BeEmpty();
    }

    private static IEnumerable<AgentEvent> HistoryOf(InProcessEventBus bus, string topic) =>
        bus.GetHistory<AgentEvent>(topic).Select(e => e.Event);
}
