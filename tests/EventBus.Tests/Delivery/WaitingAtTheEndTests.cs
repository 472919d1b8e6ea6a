using EventBus.Testing;

namespace EventBus.Tests.Delivery;

/// <summary>What becomes of events that wait for room when their subscription ends: every end lets the publisher go on.</summary>
public sealed class WaitingAtTheEndTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly InProcessEventBus _bus;
    private readonly CancellationTokenSource _token = new();
    private readonly Subscription<int> _subscription;
    private readonly Task<PublishResult>[] _waiting;

    public WaitingAtTheEndTests()
    {
        _bus = new(timeProvider: _time);
        _subscription = _bus.Subscribe<int>("t", new() { Capacity = 1, WaitTimeout = TimeSpan.FromHours(1) }, _token.Token);
        _bus.Publish("t", 0);
        _waiting = [_bus.PublishAsync("t", 1).AsTask(), _bus.PublishAsync("t", 2).AsTask()];
        _waiting.Should().OnlyContain(w => !w.IsCompleted);
    }

    public void Dispose()
    {
        _bus.Dispose();
        _token.Dispose();
    }

    [Fact]
    public async Task Dispose_WithWaiting_DiscardsThemAndDropsNothing()
    {
        _subscription.Dispose();

        (await Task.WhenAll(_waiting).Soon()).Should().AllBeEquivalentTo(new PublishResult(1, 0));
        _subscription.Dropped.Should().Be(0);
        EventBusStatistics statistics = _bus.GetStatistics();
        (statistics.Dropped, statistics.Discarded, statistics.Queued).Should().Be((0, 3, 0));
        _time.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public async Task LeavingTheLoop_WithWaiting_DiscardsThemAndDropsNothing()
    {
        await foreach (Envelope<int> first in _subscription)
        {
            first.Event.Should().Be(0);
            break;
        }

        (await Task.WhenAll(_waiting).Soon()).Should().AllBeEquivalentTo(new PublishResult(1, 0));
        _subscription.Dropped.Should().Be(0);
        EventBusStatistics statistics = _bus.GetStatistics();
        (statistics.Delivered, statistics.Dropped, statistics.Discarded).Should().Be((1, 0, 2));
    }

    [Theory]
    [InlineData("complete")]
    [InlineData("token")]
    [InlineData("drain")]
    [InlineData("bus")]
    [InlineData("bus, asynchronously")]
    public async Task OtherEnds_WithWaiting_LoseThemCountedAndKeepWhatIsQueued(string end)
    {
        await EndByAsync(end);

        (await Task.WhenAll(_waiting).Soon()).Should().AllBeEquivalentTo(new PublishResult(1, 1));
        _subscription.Dropped.Should().Be(2);
        EventBusStatistics statistics = _bus.GetStatistics();
        (statistics.Dropped, statistics.Discarded, statistics.Queued).Should().Be((2, 0, 1));
        _time.ScheduledTimers.Should().Be(0);
        _subscription.ReadWithMissed().Should().Equal((0, 0));
        await _subscription.Completion.Soon();
    }

    [Fact]
    public async Task Dispose_AfterAnotherEnd_DiscardsWhatIsQueuedButFindsNobodyWaiting()
    {
        _bus.Complete("t").Should().BeTrue();
        await Task.WhenAll(_waiting).Soon();

        _subscription.Dispose();

        _subscription.Dropped.Should().Be(2);
        _bus.GetStatistics().Discarded.Should().Be(1);
        await _subscription.Completion.Soon();
    }

    [Fact]
    public async Task End_OneOfTwoThatAreWaitedFor_GoesOnWaitingForTheOther()
    {
        using Subscription<int> other = _bus.Subscribe<int>("other", new() { Capacity = 1, WaitTimeout = TimeSpan.FromHours(1) });
        using Subscription<int> leaving = _bus.Subscribe<int>("other", new() { Capacity = 1, WaitTimeout = TimeSpan.FromHours(1) });
        _bus.Publish("other", 0);
        Task<PublishResult> published = _bus.PublishAsync("other", 1).AsTask();

        leaving.Dispose();
        published.IsCompleted.Should().BeFalse();
        other.Reader.TryRead(out _).Should().BeTrue();

        (await published.Soon()).Should().Be(new PublishResult(2, 0));
    }

    private async Task EndByAsync(string end)
    {
        switch (end)
        {
            case "complete":
                _bus.Complete("t").Should().BeTrue();
                break;
            case "token":
                await _token.CancelAsync();
                break;
            case "drain":
                _ = _subscription.DrainAsync().AsTask();
                break;
            case "bus":
                _bus.Dispose();
                break;
            default:
                await _bus.DisposeAsync();
                break;
        }
    }
}
