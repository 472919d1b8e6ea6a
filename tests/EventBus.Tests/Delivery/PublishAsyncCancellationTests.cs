using EventBus.Testing;

namespace EventBus.Tests.Delivery;

/// <summary>A publisher's token: beforehand nothing is published; while waiting the event is lost for those still full.</summary>
public sealed class PublishAsyncCancellationTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly InProcessEventBus _bus;

    public PublishAsyncCancellationTests() => _bus = new(timeProvider: _time);

    public void Dispose() => _bus.Dispose();

    [Fact]
    public async Task PublishAsync_CancelledBeforehand_PublishesNothing()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t");

        ValueTask<PublishResult> published = _bus.PublishAsync("t", 1, new CancellationToken(canceled: true));

        published.IsCanceled.Should().BeTrue();
        await FluentActions.Awaiting(() => published.Soon()).Should().ThrowAsync<OperationCanceledException>();
        subscription.Count.Should().Be(0);
        _bus.GetStatistics().Published.Should().Be(0);
    }

    [Fact]
    public async Task PublishAsync_CancelledWhileWaiting_LosesTheEventOnlyForThoseStillFull()
    {
        using CancellationTokenSource cancel = new();
        using Subscription<int> free = _bus.Subscribe<int>("t");
        using Subscription<int> full = SubscribeOne();
        using Subscription<int> served = SubscribeOne();
        _bus.Publish("t", 0);
        Task<PublishResult> published = _bus.PublishAsync("t", 1, cancel.Token).AsTask();
        served.Reader.TryRead(out _).Should().BeTrue();

        await cancel.CancelAsync();

        OperationCanceledException thrown =
            (await FluentActions.Awaiting(() => published.Soon()).Should().ThrowAsync<OperationCanceledException>()).Which;
        thrown.CancellationToken.Should().Be(cancel.Token);
        free.ReadEvents().Should().Equal(0, 1);
        served.ReadEvents().Should().Equal(1);
        full.ReadEvents().Should().Equal(0);
        (free.Dropped, served.Dropped, full.Dropped).Should().Be((0, 0, 1));
        _time.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public async Task PublishAsync_CancelledAfterItWasServed_IsNotCancelled()
    {
        using CancellationTokenSource cancel = new();
        using Subscription<int> subscription = SubscribeOne();
        _bus.Publish("t", 0);
        Task<PublishResult> published = _bus.PublishAsync("t", 1, cancel.Token).AsTask();
        subscription.Reader.TryRead(out _).Should().BeTrue();

        await cancel.CancelAsync();

        (await published.Soon()).Should().Be(new PublishResult(1, 0));
    }

    [Fact]
    public async Task PublishAsync_CancelledWhenOneTimedOutAlready_LosesItOnceForEach()
    {
        using CancellationTokenSource cancel = new();
        using Subscription<int> shorter = SubscribeOne(seconds: 1);
        using Subscription<int> longer = SubscribeOne(seconds: 2);
        _bus.Publish("t", 0);
        Task<PublishResult> published = _bus.PublishAsync("t", 1, cancel.Token).AsTask();
        _time.Advance(TimeSpan.FromSeconds(1));

        await cancel.CancelAsync();
        _time.Advance(TimeSpan.FromSeconds(10));

        await FluentActions.Awaiting(() => published.Soon()).Should().ThrowAsync<OperationCanceledException>();
        (shorter.Dropped, longer.Dropped).Should().Be((1, 1));
    }

    [Fact]
    public async Task PublishAsync_CancelledWhileWaiting_IsWaitedForAgain()
    {
        using CancellationTokenSource cancel = new();
        using Subscription<int> subscription = SubscribeOne();
        _bus.Publish("t", 0);
        Task<PublishResult> cancelled = _bus.PublishAsync("t", 1, cancel.Token).AsTask();
        await cancel.CancelAsync();
        await FluentActions.Awaiting(() => cancelled.Soon()).Should().ThrowAsync<OperationCanceledException>();

        Task<PublishResult> published = _bus.PublishAsync("t", 2).AsTask();

        published.IsCompleted.Should().BeFalse("the publisher gave up, not the subscriber");
        subscription.ReadWithMissed().Should().Equal((0, 0), (2, 1));
        await published.Soon();
    }

    private Subscription<int> SubscribeOne(int seconds = 1) =>
        _bus.Subscribe<int>("t", new() { Capacity = 1, WaitTimeout = TimeSpan.FromSeconds(seconds) });
}
