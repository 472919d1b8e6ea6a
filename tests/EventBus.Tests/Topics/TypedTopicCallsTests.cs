namespace EventBus.Tests.Topics;

/// <summary>A typed topic can stand wherever a string can, whatever else is written; that this compiles is half of the test.</summary>
public sealed class TypedTopicCallsTests
{
    private static readonly Topic<int> Load = new("load");

    [Fact]
    public void Subscribe_OptionsWrittenAsNew_TakesThemAsOptions()
    {
        using InProcessEventBus bus = new();

        using Subscription<int> bounded = bus.Subscribe(Load, new() { Capacity = 2 });
        using Subscription<int> usual = bus.Subscribe(Load, default);

        bounded.Capacity.Should().Be(2);
        usual.Capacity.Should().Be(new SubscriptionOptions().Capacity);
    }

    [Fact]
    public void Handle_OptionsWrittenAsNew_TakesThemAsOptions()
    {
        using InProcessEventBus bus = new();

        using HandlerSubscription each = bus.Handle(Load, (_, _) => default, new() { Capacity = 2 });
        using HandlerSubscription batch = bus.HandleBatch(Load, (_, _) => default, new() { Capacity = 3 });

        each.Capacity.Should().Be(2);
        batch.Capacity.Should().Be(3);
    }

    [Fact]
    public async Task All_TokenWithoutOptions_EndsThem()
    {
        using InProcessEventBus bus = new();
        using CancellationTokenSource over = new();
        Subscription[] all =
        [
            bus.Subscribe(Load, over.Token),
            bus.Handle(Load, (_, _) => default, over.Token),
            bus.HandleBatch(Load, (_, _) => default, over.Token),
        ];

        await over.CancelAsync();

        await Task.WhenAll(all.Select(s => s.Completion)).Soon();
    }
}
