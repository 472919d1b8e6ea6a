namespace EventBus.Testing.Tests.Stress;

/// <summary>
/// Idle is never too early: whenever it is reported, every handler has done all that was published and all that followed from it.
/// And it never hangs: each wait ends, or names who is busy.
/// </summary>
public sealed class WhenIdleStressTests : IAsyncDisposable
{
    private const int Rounds = 10_000;
    private readonly InProcessEventBus _bus = new();
    private int _handled;

    public ValueTask DisposeAsync() => _bus.DisposeAsync();

    [Fact]
    public async Task TenThousandRounds_OfEveryScenario_NeverEarlyNeverHung()
    {
        using Subscription<int> unread = _bus.Subscribe<int>("#", new() { Capacity = 4, Overflow = OverflowPolicy.DropOldest });
        Handle("level:1", i => PublishTwice("level:2", i));
        Handle("level:2", i => PublishTwice("level:3", i));
        Handle("level:3", _ => { });
        Handle("self", i =>
        {
            if (i > 1)
                _bus.Publish("self", i - 1);
        });
        Handle("many:*", i => _bus.Publish("level:3", i), new() { MaxConcurrency = 3 });
        Handle("any:*", i => _bus.Publish("many:1", i), new() { MaxConcurrency = 3, Order = HandlerOrder.None });
        _bus.Handle<int>(
            "retry",
            (e, _) => Interlocked.Increment(ref _handled) % 2 == 0 ? default : throw new InjectedFaultException(),
            new() { MaxAttempts = 2, RetryDelay = TimeSpan.Zero });

        int expected = 0;
        for (int round = 0; round < Rounds; round++)
        {
            expected += await PlayAsync(round);
            Task second = _bus.WhenIdleAsync();
            await _bus.WhenIdleAsync();
            Volatile.Read(ref _handled).Should().Be(expected, "round {0} was reported idle", round);
            await second;
            if (round % 8 == 6)
                _handled = expected = 0; // the retrying handler fails on odd counts
        }
    }

    /// <summary>Publishes what a round is about.</summary>
    /// <returns>How often a handler is called for it.</returns>
    private async Task<int> PlayAsync(int round)
    {
        switch (round % 8)
        {
            case 0:
                return 0;
            case 1:
                _bus.Publish("level:1", round);
                return 7;
            case 2:
                _bus.Publish("self", 5);
                return 5;
            case 3:
                for (int i = 0; i < 6; i++)
                    _bus.Publish($"many:{i % 2}", i);
                return 12;
            case 4:
                for (int i = 0; i < 4; i++)
                    _bus.Publish($"any:{i}", i);
                return 12;
            case 5:
                await Task.WhenAll(Task.Run(() => _bus.Publish("level:1", 1)), Task.Run(() => _bus.Publish("self", 3)));
                return 10;
            case 6:
                using (_bus.Handle<int>("passing", (_, _) => default))
                    _bus.Publish("passing", 1);
                return 0;
            default:
                _bus.Publish("retry", 1);
                return 2;
        }
    }

    private void PublishTwice(string topic, int number)
    {
        _bus.Publish(topic, number);
        _bus.Publish(topic, number);
    }

    private void Handle(string pattern, Action<int> then, HandlerOptions? options = null) => _bus.Handle<int>(
        pattern,
        (envelope, _) =>
        {
            then(envelope.Event);

            // Counted last: whoever is told idle before this runs, sees too little.
            Interlocked.Increment(ref _handled);
            return default;
        },
        options);
}
