using EventBus.Testing;

namespace EventBus.Tests.History;

/// <summary>The total order, and positions in it.</summary>
public sealed class SequenceTests
{
    private static EventBusOptions Options => new EventBusOptions().KeepHistory("a:*", depth: 3, maxTopics: 2).KeepHistory("b", depth: 3);

    [Fact]
    public void Sequences_GrowOverAllTopicsAndRules_FromTheStartTimeInMicroseconds()
    {
        // A time of its own: what other buses of the process have issued would be above the start.
        FakeTimeProvider clock = new(new DateTimeOffset(2200, 1, 1, 0, 0, 0, TimeSpan.Zero));
        using InProcessEventBus bus = new(Options, timeProvider: clock);
        using Subscription<int> all = bus.Subscribe<int>("#");
        foreach (string topic in new List<string> { "a:1", "b", "free", "a:2", "b", "a:3" })
            bus.Publish(topic, 1);

        long first = (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        all.ReadQueued().Select(e => e.Sequence).Should().Equal(first, first + 1, 0, first + 2, first + 3, first + 4);
    }

    [Fact]
    public void After_PositionFromBeforeARestart_ReplaysAllAndSaysSo()
    {
        FakeTimeProvider clock = new();
        long seen;
        using (InProcessEventBus before = new(Options, timeProvider: clock))
        {
            before.PublishNumbers("b", 1, 3);
            seen = before.LastSequence("b");
        }

        clock.Advance(TimeSpan.FromMilliseconds(1));
        using InProcessEventBus bus = new(Options, timeProvider: clock);
        bus.PublishNumbers("b", 4, 5);

        using Subscription<int> exact = bus.SubscribeWith("b", Replay.After(seen));
        using Subscription<int> pattern = bus.SubscribeWith("#", Replay.After(seen));

        exact.ReplayTruncated.Should().BeTrue();
        exact.ReadEvents().Should().Equal(4, 5);
        pattern.ReplayTruncated.Should().BeTrue();
        pattern.ReadEvents().Should().Equal(4, 5);
        bus.LastSequence("b").Should().BeGreaterThan(seen);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(5_000)]
    public void After_PositionOfAnEarlierBusWithTheSameStartTime_ReplaysAllAndSaysSo(int issued)
    {
        FakeTimeProvider clock = new();
        EventBusOptions deep = new EventBusOptions().KeepHistory("b", depth: 100_000);
        using InProcessEventBus madeBefore = new(deep, timeProvider: clock);
        long seen;
        using (InProcessEventBus first = new(deep, timeProvider: clock))
        {
            first.PublishNumbers("b", 1, issued);
            seen = first.LastSequence("b") - 1;
        }

        using InProcessEventBus madeAfter = new(deep, timeProvider: clock);
        foreach (InProcessEventBus bus in (InProcessEventBus[])[madeBefore, madeAfter])
        {
            bus.PublishNumbers("b", 1, issued * 2);
            using Subscription<int> resumed = bus.SubscribeWith("b", Replay.After(seen));
            resumed.ReplayTruncated.Should().BeTrue();
            resumed.ReadEvents().Should().HaveCount(issued * 2);
        }
    }

    [Fact]
    public void Sequences_OfBusesThatRunSideBySide_AreNeverTheSame()
    {
        FakeTimeProvider clock = new();
        InProcessEventBus[] buses = [new(Options, timeProvider: clock), new(Options, timeProvider: clock), new(Options)];
        Subscription<int>[] heard = [.. buses.Select(b => b.Subscribe<int>("b", new() { Capacity = 20_000 }))];
        for (int i = 0; i < 20_000; i++)
            buses[i % 1_000 == 0 ? 2 : i % 2].Publish("b", i);

        long[][] sequences = [.. heard.Select(h => h.ReadQueued().Select(e => e.Sequence).ToArray())];

        sequences.SelectMany(s => s).Should().OnlyHaveUniqueItems();
        sequences.Should().AllSatisfy(s => s.Should().BeInAscendingOrder());
        sequences[0].Should().NotBeEquivalentTo(Enumerable.Range(0, sequences[0].Length).Select(i => sequences[0][0] + i), "they took turns");
        buses[0].SubscribeWith("b", Replay.After(sequences[0][^2])).ReplayTruncated.Should().BeFalse("it issued that itself");
        buses[0].SubscribeWith("b", Replay.After(sequences[1][^2])).ReplayTruncated.Should().BeTrue("the other did, between two of its own");
        Array.ForEach(buses, b => b.Dispose());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1_000_000_000)]
    public void After_PositionNotIssuedYet_ReplaysAllAndSaysSo(long ahead)
    {
        using InProcessEventBus bus = new(Options);
        bus.PublishNumbers("b", 1, 2);

        using Subscription<int> late = bus.SubscribeWith("b", Replay.After(bus.LastSequence("b") + ahead));

        late.ReplayTruncated.Should().BeTrue();
        late.ReadEvents().Should().Equal(1, 2);
    }

    [Fact]
    public void After_Zero_ReplaysAllAndSaysSo()
    {
        using InProcessEventBus bus = new(Options);
        bus.Publish("b", 1);

        using Subscription<int> late = bus.SubscribeWith("b", Replay.After(0));

        late.ReplayTruncated.Should().BeTrue("0 is no position this bus issued");
        late.ReadEvents().Should().Equal(1);
    }

    [Fact]
    public void After_EverythingIsStillThere_IsNotTruncated()
    {
        using InProcessEventBus bus = new(Options);
        bus.Publish("b", 1);
        long first = bus.LastSequence("b");
        bus.Publish("a:1", 2);
        bus.Publish("b", 3);

        using Subscription<int> pattern = bus.SubscribeWith("#", Replay.After(first));
        using Subscription<int> atTheEnd = bus.SubscribeWith("#", Replay.After(bus.LastSequence("b")));
        using Subscription<int> otherReplay = bus.SubscribeWith("#", Replay.All);

        pattern.ReplayTruncated.Should().BeFalse();
        pattern.ReadEvents().Should().Equal(2, 3);
        atTheEnd.ReplayTruncated.Should().BeFalse();
        atTheEnd.ReadEvents().Should().BeEmpty();
        otherReplay.ReplayTruncated.Should().BeFalse();
    }

    [Fact]
    public void After_PushedOutByDepth_IsTruncatedExactlyWhenSomethingWasLost()
    {
        using InProcessEventBus bus = new(Options);
        bus.PublishNumbers("b", 1, 3);
        long first = bus.GetHistory<int>("b")[0].Sequence;
        bus.PublishNumbers("b", 4, 5);

        using Subscription<int> lost = bus.SubscribeWith("b", Replay.After(first));
        using Subscription<int> complete = bus.SubscribeWith("b", Replay.After(first + 1));
        using Subscription<int> pattern = bus.SubscribeWith("#", Replay.After(first));

        lost.ReplayTruncated.Should().BeTrue();
        lost.ReadEvents().Should().Equal(3, 4, 5);
        complete.ReplayTruncated.Should().BeFalse();
        complete.ReadEvents().Should().Equal(3, 4, 5);
        pattern.ReplayTruncated.Should().BeTrue();
    }

    [Theory]
    [InlineData("a:1")]
    [InlineData("a:*")]
    [InlineData("#")]
    public void After_TopicEvictedByOthers_IsTruncated(string pattern)
    {
        using InProcessEventBus bus = new(Options);
        bus.Publish("b", 0);
        long seen = bus.LastSequence("b");
        bus.Publish("a:1", 1);
        bus.Publish("a:2", 2);
        bus.Publish("a:3", 3);

        using Subscription<int> late = bus.SubscribeWith(pattern, Replay.After(seen));
        late.ReplayTruncated.Should().BeTrue();
        late.ReadEvents().Should().Equal(pattern == "a:1" ? [] : new List<int> { 2, 3 });

        // Also when the topic is back, with only what came since.
        bus.Publish("a:1", 4);
        using Subscription<int> later = bus.SubscribeWith(pattern, Replay.After(seen));
        later.ReplayTruncated.Should().BeTrue();
    }

    [Fact]
    public void After_TopicsOfAnotherRuleEvicted_IsNotTruncatedForAPatternThatCannotMatchThem()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a:*", maxTopics: 1).KeepHistory("b:*").KeepHistory("c:#"));
        bus.Publish("b:1", 0);
        long seen = bus.LastSequence("b:1");
        bus.Publish("a:1", 1);
        bus.Publish("a:2", 2);
        bus.Publish("b:2", 3);

        using Subscription<int> resumed = bus.SubscribeWith("b:*", Replay.After(seen));

        resumed.ReplayTruncated.Should().BeFalse();
        resumed.ReadEvents().Should().Equal(3);
        bus.SubscribeWith("*:1", Replay.After(seen)).ReplayTruncated.Should().BeTrue();
    }

    [Fact]
    public void After_ForgottenTopic_IsTruncated()
    {
        using InProcessEventBus bus = new(Options);
        bus.Publish("a:1", 0);
        long seen = bus.LastSequence("a:1");
        bus.Publish("b", 1);
        bus.Forget("b");

        bus.SubscribeWith("b", Replay.After(seen)).ReplayTruncated.Should().BeTrue();
        bus.SubscribeWith("#", Replay.After(seen)).ReplayTruncated.Should().BeTrue();
        bus.SubscribeWith("a:1", Replay.After(seen)).ReplayTruncated.Should().BeFalse("nothing of its own was lost");
    }

    [Fact]
    public void After_Expired_IsTruncated()
    {
        FakeTimeProvider clock = new();
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a", maxAge: TimeSpan.FromSeconds(10)), timeProvider: clock);
        bus.PublishNumbers("a", 1, 2);
        long first = bus.GetHistory<int>("a")[0].Sequence;
        bus.SubscribeWith("a", Replay.After(first)).ReplayTruncated.Should().BeFalse();
        clock.Advance(TimeSpan.FromSeconds(10));

        using Subscription<int> late = bus.SubscribeWith("a", Replay.After(first));

        late.ReplayTruncated.Should().BeTrue();
        late.ReadEvents().Should().BeEmpty();
        bus.SubscribeWith("a", Replay.After(first + 1)).ReplayTruncated.Should().BeFalse();
    }

    [Fact]
    public void After_LastSeenOnAPattern_LosesNothingHoweverOften()
    {
        using InProcessEventBus bus = new(new EventBusOptions().KeepHistory("a:*", depth: 1_000));
        List<int> seen = [];
        Envelope<int> last = default;
        for (int i = 0; i < 300; i++)
        {
            bus.Publish($"a:{i % 7}", i);
            if (i % 11 != 0)
                continue;
            using Subscription<int> resumed = bus.SubscribeWith("a:*", i == 0 ? Replay.All : Replay.After(last.Sequence));
            resumed.ReplayTruncated.Should().BeFalse();
            for (int n = 0; n < 13 && resumed.Reader.TryRead(out Envelope<int> envelope); n++)
                seen.Add((last = envelope).Event);
        }

        seen.Should().Equal(HistoryCalls.Numbers(0, seen.Count - 1)).And.HaveCountGreaterThan(290);
    }
}
