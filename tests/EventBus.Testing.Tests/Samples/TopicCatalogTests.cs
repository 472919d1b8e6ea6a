using Samples.Bursts;

namespace EventBus.Testing.Tests.Samples;

/// <summary>The sample's hour is over in an instant: its clock is turned, and nobody waits for two minutes.</summary>
public sealed class TopicCatalogTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly InProcessEventBus _bus;

    public TopicCatalogTests() => _bus = new InProcessEventBus(timeProvider: _clock);

    public ValueTask DisposeAsync() => _bus.DisposeAsync();

    [Fact]
    public async Task ShippedItems_PlayEveryEventOfEveryFamily()
    {
        Catalogue catalogue = new(_bus);

        await PlayAsync(WorkPlan.Load(Path.Combine(AppContext.BaseDirectory, "work-items.json")));

        string[] expected =
        [
            .. Rows("agent:*", "phase_change delta tool_results tool_update done error"),
            .. Rows("agent:mail:*", "new_message broadcast_message"),
            .. Rows("tether:reaching", "question_asked question_answered question_timed_out late_answer"),
            .. Rows("tether:drifts", "drift_created drift_confirmed drift_rejected drift_noted drift_superseded pipeline_drift"),
            .. Rows("tether:questions", "pipeline_mutation_submitted pipeline_mutation_responded"),
            .. Rows("burst:events", "burst_start burst_complete wave_complete"),
            .. Rows("reflection:*", "started extracting proposing evaluating curating completed cached error"),
        ];
        catalogue.Counts.Keys.Select(k => $"{k.Family} {k.Tag}").Should().BeEquivalentTo(expected);
    }

    [Fact]
    public async Task Waves_FollowDependencies_AndNothingFollowsAFailure()
    {
        await using EventRecorder<AgentEvent> agents = _bus.Record<AgentEvent>("agent:*");
        await using EventRecorder<BurstEvent> burst = _bus.Record(Topics.Burst);

        await PlayAsync(new WorkPlan(
        [
            Item("first"), Item("second", "first"), Item("broken", "first") with { FailsWith = "no" }, Item("third", "second", "broken"),
        ]));

        agents.Envelopes.Where(e => e.Event is AgentEvent.Done).Select(e => e.Topic).Should().Equal("agent:first", "agent:second");
        burst.Events.OfType<BurstEvent.WaveCompleted>().Select(w => (w.TotalItems, w.Succeeded, w.Failed))
            .Should().Equal((1, 1, 0), (2, 1, 1));
        burst.Events[0].Should().Be(new BurstEvent.Started("burst-1", 3, _clock.Start));
        burst.Events[^1].Should().Be(new BurstEvent.Completed("burst-1", 2, 1));
    }

    [Fact]
    public async Task Question_NotAnsweredInTwoMinutes_TimesOutAndTheLateAnswerIsACorrection()
    {
        await using EventRecorder<ITagged> tether = _bus.Record<ITagged>(["tether:reaching", "tether:drifts"]);
        await using EventRecorder<AgentEvent> agents = _bus.Record<AgentEvent>("agent:*");

        await PlayAsync(new WorkPlan([Item("ask") with { Asks = new PlannedQuestion("Why?", "Because.", AnswerAfterSeconds: 150) }]));

        tether.Events.Select(e => e.Tag).Should().Equal(
            "question_asked", "question_timed_out", "drift_created", "drift_noted", "late_answer", "drift_superseded");
        (tether.Envelopes[1].PublishedAt - tether.Envelopes[0].PublishedAt).Should().Be(TimeSpan.FromMinutes(2));
        (tether.Envelopes[4].PublishedAt - tether.Envelopes[0].PublishedAt).Should().Be(TimeSpan.FromSeconds(150));
        agents.Envelopes.Where(e => e.Event is AgentEvent.Done).Select(e => e.Topic)
            .Should().Equal("agent:ask", "agent:fix-drift-ask-question");
    }

    [Fact]
    public async Task Question_AnsweredAtTheLastSecond_IsAnswered()
    {
        await using EventRecorder<QuestionEvent> questions = _bus.Record(Topics.Reaching);

        await PlayAsync(new WorkPlan([Item("ask") with { Asks = new PlannedQuestion("Why?", "Because.", AnswerAfterSeconds: 119) }]));

        questions.Events.Select(e => e.Tag).Should().Equal("question_asked", "question_answered");
    }

    [Fact]
    public void Mailboxes_AreNoAgents()
    {
        TopicPattern agents = TopicPattern.Parse("agent:*");

        agents.Matches(Topics.Agent("7").Name).Should().BeTrue();
        agents.Matches(Topics.Mail("7").Name).Should().BeFalse();
        agents.Matches(Topics.Broadcast.Name).Should().BeFalse();
    }

    [Theory]
    [InlineData("a", "a", "depends on itself")]
    [InlineData("a", "missing", "which there is not")]
    public void WorkPlan_ThatCannotBeDone_IsRefused(string id, string dependency, string why)
    {
        Action plan = () => _ = new WorkPlan([Item(id, dependency)]);

        plan.Should().Throw<InvalidDataException>().WithMessage($"*{why}*");
    }

    private static IEnumerable<string> Rows(string family, string tags) => tags.Split(' ').Select(tag => $"{family} {tag}");

    private static WorkItem Item(string id, params string[] dependsOn) => new(id, dependsOn, "On it", WorkSeconds: 4);

    private Task PlayAsync(WorkPlan plan) => new Simulation("burst-1", _bus, _clock, plan).RunAsync();
}
