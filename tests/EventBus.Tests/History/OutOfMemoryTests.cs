using EventBus.History;

namespace EventBus.Tests.History;

/// <summary>
/// Memory runs out wherever history asks for some. Invariant: the publisher notices nothing, live subscribers have every event, history is
/// in order, and a replay that lacks something says so.
/// </summary>
public sealed class OutOfMemoryTests : IDisposable
{
    private static readonly Type[] LatestOnly = [typeof(RunEvent.Progress)];

    public void Dispose() => Allocation.OnBegin = null;

    [Fact]
    public void Publish_WhereverMemoryRunsOut_IsDeliveredAndHistoryTellsWhatItLost()
    {
        int failures = 0;
        for (int depth = 1; depth <= 6; depth++)
        {
            // Each publish in turn fails at its first request for memory, then at its second, and so on.
            for (int failing = 0; failing < 30; failing++)
            {
                for (int request = 0; request < 5; request++)
                    failures += Run(depth, failing, request) ? 1 : 0;
            }
        }

        failures.Should().BeGreaterThan(100, "else nothing was tested");
    }

    [Fact]
    public void ANewTopic_ForWhichThereIsNoMemory_IsTruncatedForWhoeverAsksForIt()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("run:*"));
        bus.Publish("run:1", 1);
        long before = bus.LastSequence("run:1");
        Allocation.OnBegin = () => throw new InsufficientMemoryException();
        bus.Publish("run:2", 2);
        Allocation.OnBegin = null;

        bus.HistoryOf("run:2").Should().BeEmpty();
        bus.SubscribeWith("run:2", Replay.After(before)).ReplayTruncated.Should().BeTrue();
        bus.SubscribeWith("run:*", Replay.After(before)).ReplayTruncated.Should().BeTrue();
        bus.SubscribeWith("run:1", Replay.After(before)).ReplayTruncated.Should().BeFalse();
    }

    /// <returns>Whether memory ran out.</returns>
    private static bool Run(int depth, int failing, int request)
    {
        using InProcessEventBus bus = new(
            new EventBusOptions().KeepHistory("run:*", depth, maxTopics: 2, TimeSpan.FromHours(1), LatestOnly));
        using Subscription<RunEvent> live = bus.Subscribe<RunEvent>("#");
        List<(string Topic, RunEvent Event)> published = [];
        bool hasFailed = false;
        for (int i = 0; i < 30; i++)
        {
            (string topic, RunEvent @event) = ($"run:{i % 7 / 3}", i % 5 == 4 ? new RunEvent.Progress(i) : new RunEvent.Line(i));
            published.Add((topic, @event));
            int left = request;
            if (i == failing)
                Allocation.OnBegin = () => hasFailed |= left-- == 0 ? throw new InsufficientMemoryException() : false;
            try
            {
                bus.Publish(topic, @event).Should().Be(new PublishResult(1, 0));
            }
            catch (OutOfMemoryException)
            {
                throw new InvalidOperationException($"Publish {i} threw: depth {depth}, request {request}.");
            }
            finally
            {
                hasFailed |= left < 0;
                Allocation.OnBegin = null;
            }

            // Segments that a replay shares have to be exchanged, which takes memory, too.
            if (i % 6 == 5)
                bus.Subscribe<RunEvent>("run:*", new() { Replay = Replay.All }).Dispose();
        }

        List<Envelope<RunEvent>> seen = live.ReadQueued();
        seen.Select(e => (e.Topic, e.Event)).Should().Equal(published);
        IReadOnlyList<Envelope<RunEvent>> kept = bus.GetHistory<RunEvent>("run:*");
        kept.Should().Equal(seen.Where(kept.Contains), "what is kept is in order");
        bus.GetStatistics().HistoryEvents.Should().Be(kept.Count);

        // Whoever resumes has all there was since, unless it is told otherwise.
        for (int i = 0; i < seen.Count; i++)
        {
            using Subscription<RunEvent.Line> resumed = bus.Subscribe<RunEvent.Line>("run:*", new() { Replay = Replay.After(seen[i].Sequence) });
            if (!resumed.ReplayTruncated)
                resumed.ReadEvents().Should().Equal(seen.Skip(i + 1).Select(e => e.Event).OfType<RunEvent.Line>());
        }

        bus.Subscribe<RunEvent>("run:*", new() { Replay = Replay.After(seen[^1].Sequence) }).ReplayTruncated.Should().BeFalse();
        return hasFailed;
    }
}
