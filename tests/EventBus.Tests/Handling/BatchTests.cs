using EventBus.Testing;

namespace EventBus.Tests.Handling;

public sealed class BatchTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly List<IReadOnlyList<Envelope<string>>> _batches = [];

    private IEnumerable<string> Batches => _batches.Select(b => string.Join("", b.Select(e => e.Event)));

    [Fact]
    public async Task FullBatch_IsHandedOverAtOnce_AndMayBeKept()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        bus.HandleBatches("topic", Keep, new HandlerOptions { MaxBatchSize = 2, MaxBatchDelay = TimeSpan.FromHours(1) });

        Publish(bus, "abcd");
        await bus.WhenIdleAsync();

        Batches.Should().Equal("ab", "cd");
        _batches[0].Should().NotBeSameAs(_batches[1]);
    }

    [Fact]
    public async Task PartialBatch_IsHandedOver_AtTheAgeOfItsOldestEvent()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        bus.HandleBatches("topic", Keep, new HandlerOptions { MaxBatchDelay = TimeSpan.FromSeconds(10) });

        Publish(bus, "a");
        await _clock.WhenTimersAsync();
        _clock.Advance(TimeSpan.FromSeconds(9));
        Publish(bus, "b");
        _batches.Should().BeEmpty();
        _clock.Advance(TimeSpan.FromSeconds(1));
        await bus.WhenIdleAsync();

        Batches.Should().Equal("ab");
        Publish(bus, "c");
        await _clock.WhenTimersAsync();
        _clock.Advance(TimeSpan.FromSeconds(10));
        await bus.WhenIdleAsync();
        Batches.Should().Equal("ab", "c");
    }

    [Theory]
    [InlineData("drain")]
    [InlineData("completion")]
    [InlineData("dispose")]
    [InlineData("bus")]
    [InlineData("overflow")]
    public async Task LastPartialBatch_IsHandedOver_OnEveryEndThatKeepsWhatIsQueued(string end)
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        HandlerSubscription subscription = bus.HandleBatches(
            "topic", Keep, new HandlerOptions { MaxBatchDelay = TimeSpan.FromHours(1), Overflow = OverflowPolicy.Close });
        Publish(bus, "ab");
        await _clock.WhenTimersAsync();

        switch (end)
        {
            case "drain":
                await subscription.DrainAsync().Soon();
                break;
            case "completion":
                bus.Complete("topic").Should().BeTrue();
                break;
            case "dispose":
                await subscription.DisposeAsync().Soon();
                break;
            case "bus":
                await bus.DisposeAsync().Soon();
                break;
            default:
                while (bus.Publish("topic", "x").Dropped == 0)
                {
                }

                break;
        }

        await subscription.Completion.Soon();
        string.Concat(Batches).Should().StartWith("ab");
    }

    [Fact]
    public async Task Dispose_DuringABatchDelay_DiscardsIt()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        HandlerSubscription subscription = bus.HandleBatches("topic", Keep, new HandlerOptions { MaxBatchDelay = TimeSpan.FromHours(1) });
        Publish(bus, "ab");
        await _clock.WhenTimersAsync();

        subscription.Dispose();

        await subscription.Completion.Soon();
        _batches.Should().BeEmpty();
    }

    [Fact]
    public async Task BatchDelayOfZero_HandsOverWhatIsThere()
    {
        await using InProcessEventBus bus = new(timeProvider: _clock);
        TaskCompletionSource go = new();
        bus.HandleBatches(
            "topic",
            async (batch, token) =>
            {
                await go.Task;
                await Keep(batch, token);
            },
            new HandlerOptions { MaxBatchDelay = TimeSpan.Zero });

        Publish(bus, "abc");
        go.SetResult();
        await bus.WhenIdleAsync();

        string.Concat(Batches).Should().Be("abc");
    }

    [Fact]
    public async Task BatchesWithConcurrency_AreRefused()
    {
        await using InProcessEventBus bus = new();

        bus.Invoking(b => b.HandleBatches("topic", Keep, new HandlerOptions { MaxConcurrency = 2 }))
            .Should().Throw<ArgumentOutOfRangeException>().WithMessage("*MaxConcurrency is 2*must be 1*");
        bus.GetSubscriptions().Should().BeEmpty();
    }

    private static void Publish(InProcessEventBus bus, string events)
    {
        foreach (char @event in events)
            bus.Publish("topic", @event.ToString());
    }

    private ValueTask Keep(IReadOnlyList<Envelope<string>> batch, CancellationToken cancellationToken)
    {
        _batches.Add(batch);
        return default;
    }
}
