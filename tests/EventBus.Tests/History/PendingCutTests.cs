using EventBus.Delivery;
using EventBus.History;

namespace EventBus.Tests.History;

/// <summary>
/// A cut of many topics is of the moment it was begun in, whatever happens until it is finished: publishes, evictions by depth and use,
/// forgetting, ageing, completion, the end of the bus, other cuts.
/// </summary>
public sealed class PendingCutTests
{
    private static readonly string[] Patterns = ["#", "run:*", "run:1:#", "*:3", "log"];

    [Fact]
    public void Finish_AfterWhateverHappened_HasWhatThereWasAtTheBeginning() => Script.CheckAll(400, 500, Play);

    [Fact]
    public void Finish_OfManyTopicsThatAreAllForgottenMeanwhile_HasThemAll()
    {
        HistoryStore history = new([new HistoryRule { Pattern = "#", MaxTopics = 1_000 }], 1, TimeProvider.System);
        for (int i = 0; i < 1_000; i++)
            Append(history, $"t:{i}", i, now: 0);
        using PendingCut cut = Begin(history, Replay.All, ["#"], now: 0);

        history.Dispose();

        Read(cut).Should().Equal(Enumerable.Range(0, 1_000).Select(i => (object)i));
        history.Pending.Any.Should().BeFalse("a finished cut is forgotten");
    }

    /// <summary>The cut asks for memory under the lock, between two of its holds as it were: then topics it is about to look at go.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Finish_WhileTopicsAheadAreUsedOrForgotten_SkipsNone(bool isUse)
    {
        const int topics = 300;
        HistoryStore history = new([new HistoryRule { Pattern = "#", MaxTopics = 1_000, LatestOnly = [typeof(string)] }], 1, TimeProvider.System);
        for (int i = 0; i < topics; i++)
            Append(history, $"t:{i}", $"{i}", now: 0);
        using PendingCut cut = Begin(history, Replay.All, ["#"], now: 0, isUse);
        bool hasChanged = false;
        Allocation.OnBegin = () =>
        {
            // The first topic is being taken; the cut has looked at 64 names, and goes on with the next three.
            if (hasChanged)
                return;
            hasChanged = true;
            Append(history, "t:64", "newer", now: 0);
            history.Forget(0, "t:65");
            Append(history, "t:66", "newer", now: 0);
            history.Forget(0, "t:299");
        };

        ReplayPlan plan = cut.Finish();
        Allocation.OnBegin = null;

        Read(plan).Should().Equal(Enumerable.Range(0, topics).Select(i => (object)$"{i}"));
        hasChanged.Should().BeTrue();
    }

    [Fact]
    public void Dispose_WithoutFinish_IsForgotten()
    {
        HistoryStore history = new([new HistoryRule { Pattern = "#" }], 1, TimeProvider.System);

        Begin(history, Replay.All, ["#"], now: 0).Dispose();

        history.Pending.Any.Should().BeFalse();
    }

    [Fact]
    public void Publish_WhenMemoryRunsOutForACut_IsNotToBlame()
    {
        HistoryStore history = new([new HistoryRule { Pattern = "#", LatestOnly = [typeof(string)] }], 1, TimeProvider.System);
        Append(history, "a", "kept by itself", now: 0);
        using PendingCut cut = Begin(history, Replay.All, ["#"], now: 0);
        Allocation.OnBegin = () => throw new InsufficientMemoryException();
        Append(history, "a", "newer", now: 0);
        Allocation.OnBegin = null;

        ReplayPlan plan = cut.Finish();

        plan.Cuts.Should().BeEmpty();
        plan.IsTruncated.Should().BeTrue();
        Read(Begin(history, Replay.All, ["#"], now: 0)).Should().Equal("newer");
    }

    private static void Play(Script script)
    {
        HistoryStore history = new(
            [
                new HistoryRule { Pattern = "run:#", Depth = 1 + script.Next(9), MaxTopics = 3 + script.Next(200), LatestOnly = [typeof(string)] },
                new HistoryRule { Pattern = "#", Depth = 3, MaxTopics = 2, MaxAge = TimeSpan.FromTicks(5) },
            ],
            1,
            TimeProvider.System);
        List<(PendingCut Cut, object[] Expected, bool IsTruncated)> begun = [];
        long now = 0;
        int number = 0;

        // More topics than one hold takes.
        for (int i = script.Next(200); i > 0; i--)
            Append(history, $"run:{i}", number++, now);
        while (!script.IsAtEnd)
        {
            switch (script.Next(8))
            {
                case < 3:
                    string topic = script.Next(5) == 0 ? "log" : script.Next(3) == 0 ? "run:1:3" : $"run:{script.Next(150)}";
                    Append(history, topic, script.Next(3) == 0 ? $"{number++}" : number++, now);
                    break;
                case 3:
                    lock (history.Gate)
                        history.Forget(0, $"run:{script.Next(150)}");
                    break;
                case 4:
                    now += script.Next(4);
                    _ = history.Measure(now);
                    break;
                case 5:
                    // Half of the cuts are use of their topics, which moves them.
                    Finish(script.Next(Math.Max(1, begun.Count)));
                    break;
                default:
                    string[] patterns = [script.Pick(Patterns)];
                    Replay replay = script.Pick([Replay.All, Replay.After(number / 2), Replay.Last(5)]);
                    ReplayPlan expected = Begin(history, replay, patterns, now, isUse: false).Finish();
                    begun.Add((Begin(history, replay, patterns, now, isUse: script.Next(2) == 0), Read(expected), expected.IsTruncated));
                    break;
            }
        }

        while (begun.Count > 0)
            Finish(0);
        history.Pending.Any.Should().BeFalse();

        void Finish(int index)
        {
            if (begun.Count == 0)
                return;
            (PendingCut cut, object[] expected, bool isTruncated) = begun[index];
            begun.RemoveAt(index);
            ReplayPlan plan = cut.Finish();
            Read(plan).Should().Equal(expected);
            plan.IsTruncated.Should().Be(isTruncated);
        }
    }

    private static void Append(HistoryStore history, string topic, object @event, long now)
    {
        lock (history.Gate)
            history.TryAppend(history.RuleOf(topic), @event, new EventOrigin(topic), now, out _).Should().BeTrue();
    }

    private static PendingCut Begin(HistoryStore history, Replay replay, string[] patterns, long now, bool isUse = true)
    {
        lock (history.Gate)
            return history.BeginCut(replay, [.. patterns.Select(TopicPattern.Parse)], isUse, now);
    }

    private static object[] Read(PendingCut cut) => Read(cut.Finish());

    private static object[] Read(ReplayPlan plan)
    {
        HistoryCursor<object> cursor = new(plan);
        object[] events = new object[cursor.Remaining];
        for (int i = 0; i < events.Length; i++)
        {
            cursor.Read(out Slot<object> slot);
            events[i] = slot.Event;
        }

        return events;
    }
}
