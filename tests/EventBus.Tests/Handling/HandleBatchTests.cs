namespace EventBus.Tests.Handling;

public sealed class HandleBatchTests
{
    private static readonly Topic<string> Topic = new("run:1");
    private readonly List<string> _batches = [];

    [Fact]
    public async Task HandleBatch_SeveralPatterns_HaveOneOrder_AndAnEventComesOnce()
    {
        await using InProcessEventBus bus = new();
        bus.HandleBatch<string>(["run:*", "run:1"], Add, new() { MaxBatchSize = 4 });

        foreach ((string topic, string @event) in ((string, string)[])[("run:1", "a"), ("run:2", "b"), ("run:1", "c"), ("run:3", "d")])
            bus.Publish(topic, @event);
        await bus.WhenIdleAsync();

        _batches.Should().Equal("abcd");
    }

    [Fact]
    public async Task HandleBatch_OfATypedTopic_WithAndWithoutOptions()
    {
        await using InProcessEventBus bus = new();
        bus.HandleBatch(Topic, Add, new HandlerOptions { MaxBatchSize = 1 });

        bus.Publish(Topic, "a");
        await bus.WhenIdleAsync();

        _batches.Should().Equal("a");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task HandleBatch_TokenAsTheThirdArgument_EndsIt_AndHandsOverWhatWasGathered(bool typed)
    {
        await using InProcessEventBus bus = new();
        using CancellationTokenSource end = new();
        HandlerSubscription subscription = typed ? bus.HandleBatch(Topic, Add, end.Token) : bus.HandleBatch<string>("run:1", Add, end.Token);

        bus.Publish("run:1", "a");
        await end.CancelAsync();
        await subscription.Completion.Soon();

        _batches.Should().Equal("a");
        bus.HasSubscribers("run:1").Should().BeFalse();
    }

    [Fact]
    public void HandleBatch_SeveralAtOnce_IsRefused()
    {
        using InProcessEventBus bus = new();

        bus.Invoking(b => b.HandleBatch<string>("run:1", Add, new() { MaxConcurrency = 2 }))
            .Should().Throw<ArgumentException>().WithMessage("*MaxConcurrency is 2*must be 1*");
        bus.Invoking(b => b.HandleBatch<string>("run:1", null!)).Should().Throw<ArgumentNullException>();
    }

    private ValueTask Add(IReadOnlyList<Envelope<string>> batch, CancellationToken cancellationToken)
    {
        _batches.Add(string.Concat(batch.Select(e => e.Event)));
        return default;
    }
}
