using EventBus.Testing;

namespace EventBus.Tests.History;

/// <summary>Types of which a topic keeps only the newest event.</summary>
public sealed class LatestOnlyTests
{
    private static readonly Replay[] Replays = [Replay.All, Replay.Last(100), Replay.After(0)];

    [Fact]
    public void Progress_HoweverMuch_PushesOutNothingAndIsReplayedWhereItWasPublished()
    {
        using InProcessEventBus bus = New(depth: 3, typeof(RunEvent.Progress));
        Publish(bus, new RunEvent.Line(1));
        for (int i = 0; i < 10_000; i++)
            Publish(bus, new RunEvent.Progress(i));
        Publish(bus, new RunEvent.Line(2));
        Publish(bus, new RunEvent.Note(3));

        foreach (Replay replay in Replays)
        {
            using Subscription<RunEvent> late = bus.Subscribe<RunEvent>("run:#", new() { Replay = replay });
            late.ReadEvents().Should().Equal(new RunEvent.Line(1), new RunEvent.Progress(9_999), new RunEvent.Line(2), new RunEvent.Note(3));
        }

        bus.GetHistory<RunEvent>("run:1").Select(e => e.Event.Number).Should().Equal(1, 9_999, 2, 3);
        bus.GetHistory<RunEvent>("run:1").Select(e => e.Sequence).Should().BeInAscendingOrder();
        bus.GetStatistics().HistoryEvents.Should().Be(4);
    }

    [Fact]
    public void Depth_IsForTheOthers()
    {
        using InProcessEventBus bus = New(depth: 2, typeof(RunEvent.Progress));
        Publish(bus, new RunEvent.Progress(0));
        for (int i = 1; i <= 5; i++)
            Publish(bus, new RunEvent.Line(i));

        bus.GetHistory<RunEvent>("run:1").Select(e => e.Event.Number).Should().Equal(0, 4, 5);
    }

    [Fact]
    public void SeveralTypes_KeepTheNewestOfEachAndAnEventOfBothOnce()
    {
        using InProcessEventBus bus = New(depth: 2, typeof(RunEvent.Progress), typeof(RunEvent.DetailedProgress));
        Publish(bus, new RunEvent.DetailedProgress(1));
        Seen(bus).Should().Equal([1], "it is the newest of both");
        Publish(bus, new RunEvent.Progress(2));
        Seen(bus).Should().Equal([1, 2], "the newest of each");
        bus.GetStatistics().HistoryEvents.Should().Be(2);
        Publish(bus, new RunEvent.DetailedProgress(3));

        Seen(bus).Should().Equal([3], "the newest of both again");
        bus.GetStatistics().HistoryEvents.Should().Be(1);
    }

    [Fact]
    public void Interfaces_AndValueTypes_CanBeListed()
    {
        using InProcessEventBus bus = New(depth: 5, typeof(IConvertible), typeof(Guid));
        Guid last = Guid.NewGuid();
        foreach (object @event in (object[])[1, "text", Guid.NewGuid(), new object(), 2, last])
            bus.Publish("run:1", @event);

        bus.GetHistory<object>("run:1").Select(e => e.Event).Skip(1).Should().Equal(2, last);
    }

    [Fact]
    public void After_WhatWasReplaced_IsNotTruncated()
    {
        using InProcessEventBus bus = New(depth: 2, typeof(RunEvent.Progress));
        Publish(bus, new RunEvent.Line(1));
        long first = bus.LastSequence("run:1");
        Publish(bus, new RunEvent.Progress(2));
        long second = bus.LastSequence("run:1");
        Publish(bus, new RunEvent.Progress(3));

        foreach ((string pattern, long position, int[] expected) in (List<(string, long, int[])>)[("run:1", first, [3]), ("#", second, [3])])
        {
            using Subscription<RunEvent> resumed = bus.Subscribe<RunEvent>(pattern, new() { Replay = Replay.After(position) });
            resumed.ReplayTruncated.Should().BeFalse();
            resumed.ReadQueued().Should().OnlyContain(e => e.Missed == 0).And.HaveCount(expected.Length);
        }

        Publish(bus, new RunEvent.Line(4));
        Publish(bus, new RunEvent.Line(5));
        bus.Subscribe<RunEvent>("run:1", new() { Replay = Replay.After(first) }).ReplayTruncated.Should().BeFalse();
        Publish(bus, new RunEvent.Line(6));
        bus.Subscribe<RunEvent>("run:1", new() { Replay = Replay.After(second) }).ReplayTruncated.Should().BeTrue("a line was pushed out");
    }

    [Fact]
    public void Replay_ThatIsUnread_KeepsWhatIsReplacedMeanwhile()
    {
        using InProcessEventBus bus = New(depth: 2, typeof(RunEvent.Progress));
        Publish(bus, new RunEvent.Progress(1));
        using Subscription<RunEvent> late = bus.Subscribe<RunEvent>("run:*", new() { Replay = Replay.All });
        using Subscription<RunEvent> last = bus.Subscribe<RunEvent>("run:1", new() { Replay = Replay.Last(1) });
        Publish(bus, new RunEvent.Progress(2));

        late.ReadEvents().Select(e => e.Number).Should().Equal(1, 2);
        last.ReadEvents().Select(e => e.Number).Should().Equal(1, 2);
    }

    [Fact]
    public void MaxAge_IsForThemToo()
    {
        FakeTimeProvider clock = new();
        using InProcessEventBus bus = new(
            new EventBusOptions().KeepHistory("run:*", maxAge: TimeSpan.FromSeconds(10), latestOnly: [typeof(RunEvent.Progress)]),
            timeProvider: clock);
        Publish(bus, new RunEvent.Line(1));
        long first = bus.LastSequence("run:1");
        clock.Advance(TimeSpan.FromSeconds(5));
        Publish(bus, new RunEvent.Progress(2));
        clock.Advance(TimeSpan.FromSeconds(5));
        Seen(bus).Should().Equal(2);
        using (Subscription<RunEvent> resumed = bus.Subscribe<RunEvent>("run:1", new() { Replay = Replay.After(first) }))
            resumed.ReplayTruncated.Should().BeFalse();

        clock.Advance(TimeSpan.FromSeconds(5));

        bus.GetStatistics().Should().BeEquivalentTo(new { HistoryTopics = 1, HistoryEvents = 0L });
        Seen(bus).Should().BeEmpty();
        using (Subscription<RunEvent> resumed = bus.Subscribe<RunEvent>("run:1", new() { Replay = Replay.After(first) }))
            resumed.ReplayTruncated.Should().BeTrue();
        bus.Complete("run:1").Should().BeFalse("there is nothing to end");
    }

    [Fact]
    public void CompletedForgottenOrEvicted_GoesWithTheTopic()
    {
        using InProcessEventBus bus = new(
            new EventBusOptions().KeepHistory("run:*", maxTopics: 1, latestOnly: [typeof(RunEvent.Progress)]));
        Publish(bus, new RunEvent.Progress(1));
        bus.Complete("run:1").Should().BeTrue("progress is something to end");
        using Subscription<RunEvent> late = bus.Subscribe<RunEvent>("run:1", new() { Replay = Replay.All });
        late.ReadEvents().Should().Equal(new RunEvent.Progress(1));
        late.Completion.IsCompleted.Should().BeTrue();
        bus.Forget("run:1").Should().BeTrue();
        bus.GetStatistics().HistoryEvents.Should().Be(0);

        Publish(bus, new RunEvent.Progress(2));
        bus.Publish<RunEvent>("run:2", new RunEvent.Progress(3));

        Seen(bus).Should().BeEmpty();
        bus.GetStatistics().Should().BeEquivalentTo(new { HistoryTopics = 1, HistoryEvents = 1L });
    }

    private static InProcessEventBus New(int depth, params Type[] latestOnly) =>
        new(new EventBusOptions().KeepHistory("run:*", depth, latestOnly: latestOnly));

    private static void Publish(InProcessEventBus bus, RunEvent @event) => bus.Publish("run:1", @event);

    private static int[] Seen(InProcessEventBus bus) => [.. bus.GetHistory<RunEvent>("run:1").Select(e => e.Event.Number)];
}
