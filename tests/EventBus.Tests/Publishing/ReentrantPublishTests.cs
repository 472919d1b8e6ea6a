using EventBus.Testing;

namespace EventBus.Tests.Publishing;

/// <summary>A handler that publishes to itself: its own full channel loses or times out, and never deadlocks.</summary>
public sealed class ReentrantPublishTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly InProcessEventBus _bus;

    public ReentrantPublishTests() => _bus = new(timeProvider: _time);

    public ValueTask DisposeAsync() => _bus.DisposeAsync();

    [Fact]
    public async Task Publish_FromAHandlerIntoItsOwnFullChannel_LosesWithoutWaiting()
    {
        TaskCompletionSource<PublishResult[]> published = new();
        using HandlerSubscription handler = _bus.Handle<int>(
            "t",
            (e, _) =>
            {
                if (e.Event == 0)
                    published.SetResult([_bus.Publish("t", 1), _bus.Publish("t", 2), _bus.Publish("t", 3)]);
                return default;
            },
            new() { Capacity = 2 });

        _bus.Publish("t", 0);

        (await published.Task.Soon()).Select(r => (r.Matched, r.Dropped)).Should().Equal((1, 0), (1, 0), (1, 1));
        await handler.DrainAsync().Soon();
        (handler.Delivered, handler.Dropped).Should().Be((3, 1));
    }

    [Fact]
    public async Task PublishAsync_FromAHandlerIntoItsOwnFullChannel_TimesOutAndGoesOn()
    {
        TaskCompletionSource<PublishResult> published = new();
        using HandlerSubscription handler = _bus.Handle<int>(
            "t",
            async (e, stopping) =>
            {
                if (e.Event != 0)
                    return;
                _bus.Publish("t", 1);
                published.SetResult(await _bus.PublishAsync("t", 2, stopping));
            },
            new() { Capacity = 1, WaitTimeout = TimeSpan.FromSeconds(5) });
        _bus.Publish("t", 0);
        await _time.WhenTimersAsync(1);

        _time.Advance(TimeSpan.FromSeconds(5));

        (await published.Task.Soon()).Should().Be(new PublishResult(1, 1));
        await handler.DrainAsync().Soon();
        (handler.Delivered, handler.Dropped).Should().Be((2, 1));
    }

    [Fact]
    public async Task PublishAsync_HandlersThatPublishToEachOther_DoNotDeadlock()
    {
        int handled = 0;
        HandlerOptions tiny = new() { Capacity = 1, WaitTimeout = TimeSpan.FromMilliseconds(1) };
        using InProcessEventBus bus = new();
        using HandlerSubscription ping = bus.Handle<int>("ping", (e, _) => OnAsync("pong", e.Event), tiny);
        using HandlerSubscription pong = bus.Handle<int>("pong", (e, _) => OnAsync("ping", e.Event), tiny);

        for (int i = 0; i < 20; i++)
            await bus.PublishAsync(i % 2 == 0 ? "ping" : "pong", 6).Soon();
        await bus.Activity.WhenIdleAsync(CancellationToken.None).Soon();

        handled.Should().BeGreaterThanOrEqualTo(7, "the first is handed on until it is used up, whatever is lost");
        (ping.Delivered + pong.Delivered).Should().Be(handled);

        async ValueTask OnAsync(string other, int left)
        {
            Interlocked.Increment(ref handled);
            if (left > 0)
            {
                await bus.PublishAsync(other, left - 1);
                bus.Publish(other, left - 1);
            }
        }
    }
}
