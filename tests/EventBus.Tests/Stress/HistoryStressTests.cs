using EventBus.Tests.History;

namespace EventBus.Tests.Stress;

public sealed class HistoryStressTests
{
    private const int Publishers = 4;

    /// <summary>
    /// Invariant, checked for each of 10,000 late joiners against 4 running publishers: history and live events together are all
    /// events, once, in the order of their sequences, which is every publisher's own order too.
    /// </summary>
    [Theory]
    [InlineData("exact")]
    [InlineData("pattern")]
    public async Task LateJoiners_WhilePublishersRun_SeeAllOnceAndInOrder(string how)
    {
        const int rounds = 1_250;
        const int joins = 4;
        const int eventsEach = 32;
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("run:#", depth: 256, maxTopics: 8));
        using Barrier barrier = new(Publishers + 1);
        Random random = new(17);
        List<string> wrong = [];
        Task[] publishers = [.. Enumerable.Range(0, Publishers).Select(p => RunLong(() => Publish(p)))];

        await RunLong(Join).WaitAsync(TimeSpan.FromMinutes(5));
        await Task.WhenAll(publishers).Soon();

        wrong.Should().BeEmpty();
        bus.GetStatistics().Should().BeEquivalentTo(
            new { Published = (long)rounds * Publishers * eventsEach, Delivered = (long)rounds * joins * Publishers * eventsEach });

        string TopicOf(int round, int publisher) => how == "exact" ? $"run:{round}" : $"run:{round}:{publisher % 2}";

        void Publish(int publisher)
        {
            for (int round = 0; round < rounds; round++)
            {
                barrier.SignalAndWait();
                for (int i = 0; i < eventsEach; i++)
                    bus.Publish(TopicOf(round, publisher), (publisher * 100) + i);
                barrier.SignalAndWait();
            }
        }

        void Join()
        {
            SubscriptionOptions options = new() { Replay = Replay.All, Capacity = Publishers * eventsEach };
            for (int round = 0; round < rounds; round++)
            {
                barrier.SignalAndWait();
                (Subscription<int> Late, List<Envelope<int>> Seen)[] joined = new (Subscription<int>, List<Envelope<int>>)[joins];
                for (int i = 0; i < joins; i++)
                {
                    Thread.SpinWait(random.Next(200));
                    joined[i] = (bus.Subscribe<int>(how == "exact" ? $"run:{round}" : $"run:{round}:#", options), []);
                    if (i % 2 == 0)
                        joined[i].Seen.AddRange(joined[i].Late.ReadQueued());
                }

                barrier.SignalAndWait();
                foreach ((Subscription<int> late, List<Envelope<int>> seen) in joined)
                {
                    seen.AddRange(late.ReadQueued());
                    late.Dispose();
                    if (WhatIsWrong(seen, eventsEach) is { } what && wrong.Count < 5)
                        wrong.Add($"round {round}: {what}: {string.Join(' ', seen.Select(e => e.Event))}");
                }
            }
        }
    }

    /// <summary>Invariant: who subscribes while the topic is completed has all of its history all the same, then the end.</summary>
    [Fact]
    public async Task Subscribe_WhileTheTopicIsCompleted_GetsAllItsHistoryThenTheEnd()
    {
        const int rounds = 10_000;
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("run:*", maxTopics: 2));
        using Barrier barrier = new(2);
        int wrong = 0;
        Task completing = RunLong(() =>
        {
            for (int round = 0; round < rounds; round++)
            {
                barrier.SignalAndWait();
                Thread.SpinWait(round % 150);
                bus.Complete($"run:{round}");
                barrier.SignalAndWait();
            }
        });

        await RunLong(() =>
        {
            for (int round = 0; round < rounds; round++)
            {
                for (int i = 0; i < 40; i++)
                    bus.Publish($"run:{round}", i);
                barrier.SignalAndWait();
                using Subscription<int> late = bus.SubscribeWith($"run:{round}", Replay.All);
                barrier.SignalAndWait();
                if (!late.ReadEvents().SequenceEqual(Enumerable.Range(0, 40)) || !late.Completion.IsCompleted)
                    wrong++;
            }
        }).WaitAsync(TimeSpan.FromMinutes(5));
        await completing.Soon();

        wrong.Should().Be(0);
    }

    /// <summary>
    /// Invariant: all who listen to several topics see one order, with sequences that strictly grow, also while others, slow ones
    /// among them, join and leave; and history has the same order.
    /// </summary>
    [Fact]
    public async Task Patterns_WhileOthersJoinAndLeave_SeeOneTotalOrder()
    {
        const int eventsEach = 10_000;
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("run:#", depth: Publishers * eventsEach));
        SubscriptionOptions roomy = new() { Capacity = Publishers * eventsEach };
        using Subscription<int> first = bus.Subscribe<int>("run:#", roomy);
        using Subscription<int> second = bus.Subscribe<int>(["run:0", "run:1", "run:2", "run:3"], roomy);
        using CancellationTokenSource done = new();
        Task churn = RunLong(() =>
        {
            for (int i = 0; !done.IsCancellationRequested; i++)
            {
                using Subscription<int> slow = bus.Subscribe<int>(i % 2 == 0 ? "run:*" : "run:1", new() { Capacity = 1 });
                slow.Reader.TryRead(out _);
            }
        });

        await Task.WhenAll(Enumerable.Range(0, Publishers).Select(p => RunLong(() =>
        {
            for (int i = 0; i < eventsEach; i++)
                bus.Publish($"run:{(p + i) % Publishers}", (p * eventsEach) + i);
        }))).WaitAsync(TimeSpan.FromMinutes(5));
        await done.CancelAsync();
        await churn.Soon();

        List<Envelope<int>> seen = first.ReadQueued();
        seen.Should().HaveCount(Publishers * eventsEach);
        seen.Zip(seen.Skip(1)).All(p => p.First.Sequence < p.Second.Sequence).Should().BeTrue();
        second.ReadQueued().SequenceEqual(seen).Should().BeTrue();
        bus.GetHistory<int>("run:*").SequenceEqual(seen).Should().BeTrue();
        WhatIsWrongIn(seen.Select(e => (e.Event / eventsEach, e.Event % eventsEach))).Should().BeNull();
    }

    /// <summary>Invariant: resuming a pattern after the last event seen, again and again, sees every event once and in order.</summary>
    [Fact]
    public async Task After_ResumedWhilePublishersRun_LosesNothingEver()
    {
        const int eventsEach = 10_000;
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("run:#", depth: Publishers * eventsEach));
        Task publishing = Task.WhenAll(Enumerable.Range(0, Publishers).Select(p => RunLong(() =>
        {
            for (int i = 0; i < eventsEach; i++)
                bus.Publish($"run:{(p + i) % 3}", (p * eventsEach) + i);
        })));
        List<int> seen = [];
        Random random = new(5);

        await RunLong(() =>
        {
            Replay next = Replay.All;
            while (seen.Count < Publishers * eventsEach)
            {
                using Subscription<int> resumed = bus.SubscribeWith("run:*", next);
                if (resumed.ReplayTruncated)
                    throw new InvalidOperationException("Nothing was evicted, so nothing can be missing.");
                for (int left = random.Next(500); left > 0 && resumed.Reader.TryRead(out Envelope<int> envelope); left--)
                {
                    seen.Add(envelope.Event);
                    next = Replay.After(envelope.Sequence);
                }
            }
        }).WaitAsync(TimeSpan.FromMinutes(5));
        await publishing.Soon();

        WhatIsWrongIn(seen.Select(e => (e / eventsEach, e % eventsEach))).Should().BeNull();
        bus.GetHistory<int>("#").Select(e => e.Event).SequenceEqual(seen).Should().BeTrue();
    }

    /// <summary>
    /// Invariant: a pattern's replay of many topics, which takes many holds of the lock while publishers push events and whole topics out,
    /// and the live events behind it are each topic's events without a gap, once, in the order of their sequences.
    /// </summary>
    [Fact]
    public async Task Patterns_OverManyTopicsWhileEventsAndTopicsArePushedOut_HaveNoGap()
    {
        const int topics = 400;
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("run:#", depth: 3, maxTopics: topics * 3 / 4, latestOnly: [typeof(string)]));
        using CancellationTokenSource done = new();
        int[] next = new int[topics];
        Task[] publishers = [.. Enumerable.Range(0, 2).Select(p => RunLong(() =>
        {
            Random random = new(p);
            while (!done.IsCancellationRequested)
            {
                int topic = (random.Next(topics / 2) * 2) + p;
                bus.Publish($"run:{topic}", next[topic]++);
                if (random.Next(10) == 0)
                    bus.Publish($"run:{topic}", "progress");
            }
        }))];
        List<string> wrong = [];

        await RunLong(() =>
        {
            for (int round = 0; round < 300; round++)
            {
                Replay replay = round % 3 == 0 ? Replay.Last(500) : Replay.All;
                using Subscription<int> late = bus.Subscribe<int>("run:*", new() { Replay = replay, Capacity = 1_000_000 });
                long sequence = 0;
                Dictionary<string, int> last = [];
                for (int left = 3_000; left > 0 && late.Reader.TryRead(out Envelope<int> envelope); left--)
                {
                    if (envelope.Sequence <= sequence || (last.TryGetValue(envelope.Topic, out int before) && envelope.Event != before + 1))
                        wrong.Add($"round {round}: {envelope.Topic} has {envelope.Event} after {last.GetValueOrDefault(envelope.Topic)}");
                    sequence = envelope.Sequence;
                    last[envelope.Topic] = envelope.Event;
                }
            }
        }).WaitAsync(TimeSpan.FromMinutes(5));
        await done.CancelAsync();
        await Task.WhenAll(publishers).Soon();

        wrong.Should().BeEmpty();
    }

    /// <summary>Invariant: what was forgotten before a replay is taken is not in it, although replays that have it are still being taken.</summary>
    [Fact]
    public async Task Patterns_WhileOtherReplaysAreTaken_HaveNothingThatWasForgottenBefore()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("run:#"));
        for (int i = 0; i < 100; i++)
            bus.Publish($"run:{i}", i);
        using CancellationTokenSource done = new();
        Task others = RunLong(() =>
        {
            while (!done.IsCancellationRequested)
                bus.GetHistory<int>("run:*");
        });
        int wrong = 0;

        await RunLong(() =>
        {
            for (int round = 0; round < 20_000; round++)
            {
                bus.Publish("run:short", -1);
                Thread.SpinWait(round % 300);
                bus.Forget("run:short");
                wrong += bus.GetHistory<int>("run:*").Count(e => e.Event < 0);
            }
        }).WaitAsync(TimeSpan.FromMinutes(5));
        await done.CancelAsync();
        await others.Soon();

        wrong.Should().Be(0);
    }

    /// <summary>Invariant: every publish is either matched and read before the end, or refused and seen by nobody.</summary>
    [Fact]
    public async Task Complete_AgainstConcurrentPublishing_DeliversNothingAfterTheEnd()
    {
        const int rounds = 3_000;
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("run:*", maxTopics: 4));
        using Barrier barrier = new(3);
        int[] matched = new int[2];
        int completions = 0;
        List<string> wrong = [];
        Task[] publishers = [.. Enumerable.Range(0, 2).Select(p => RunLong(() =>
        {
            for (int round = 0; round < rounds; round++)
            {
                barrier.SignalAndWait();
                matched[p] = 0;
                for (int i = 0; i < 20; i++)
                    matched[p] += bus.Publish($"run:{round}", i).Matched;
                if (bus.Complete($"run:{round}"))
                    Interlocked.Increment(ref completions);
                barrier.SignalAndWait();
            }
        }))];

        await RunLong(() =>
        {
            for (int round = 0; round < rounds; round++)
            {
                using Subscription<int> live = bus.Subscribe<int>($"run:{round}");
                barrier.SignalAndWait();
                barrier.SignalAndWait();
                int read = live.ReadQueued().Count;
                int kept = bus.GetHistory<int>($"run:{round}").Count;
                if (read != matched.Sum() || kept != read || !live.Completion.IsCompleted)
                    wrong.Add($"round {round}: read {read}, matched {matched.Sum()}, kept {kept}");
            }
        }).WaitAsync(TimeSpan.FromMinutes(5));
        await Task.WhenAll(publishers).Soon();

        wrong.Should().BeEmpty();
        completions.Should().Be(rounds, "a topic ends once, whoever ends it");
        EventBusStatistics statistics = bus.GetStatistics();
        (statistics.Published + statistics.RefusedAfterCompletion).Should().Be(rounds * 2 * 20);
    }

    private static Task RunLong(Action action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static string? WhatIsWrong(List<Envelope<int>> seen, int eventsEach)
    {
        if (seen.Count != Publishers * eventsEach)
            return $"{seen.Count} events";
        for (int i = 1; i < seen.Count; i++)
        {
            if (seen[i].Sequence <= seen[i - 1].Sequence || seen[i].Missed != 0)
                return $"sequence {seen[i].Sequence} after {seen[i - 1].Sequence}";
        }

        return WhatIsWrongIn(seen.Select(e => (e.Event / 100, e.Event % 100)));
    }

    /// <summary>Each publisher's events, once and in its order.</summary>
    private static string? WhatIsWrongIn(IEnumerable<(int Publisher, int Number)> seen)
    {
        int[] next = new int[Publishers];
        foreach ((int publisher, int number) in seen)
        {
            if (next[publisher]++ != number)
                return $"publisher {publisher} has {number} after {next[publisher] - 2}";
        }

        return null;
    }
}
