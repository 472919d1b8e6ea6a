namespace EventBus.Testing.Tests;

public sealed class FaultyHandlerTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly InProcessEventBus _bus;

    public FaultyHandlerTests() => _bus = new InProcessEventBus(timeProvider: _clock);

    public ValueTask DisposeAsync() => _bus.DisposeAsync();

    [Fact]
    public async Task FailOn_SecondCall_FailsOnlyThatEvent()
    {
        List<int> handled = [];
        FaultyHandler<int> faulty = new((e, _) =>
        {
            handled.Add(e.Event);
            return default;
        });
        await using EventRecorder<BusEvent.HandlerFailed> failures = _bus.Record(BusEvent.FailuresTopic);
        _bus.Handle<int>("t", faulty.FailOn(2).HandleAsync);

        for (int i = 1; i <= 3; i++)
            _bus.Publish("t", i);
        await _bus.WhenIdleAsync();

        handled.Should().Equal(1, 3);
        failures.Events.Should().ContainSingle().Which.Exception.Should().BeOfType<InjectedFaultException>();
    }

    [Fact]
    public async Task FailOn_FirstCalls_TheRetrySucceedsWhenItsDelayIsOver()
    {
        FaultyHandler<string> faulty = new();
        _bus.Handle<string>(
            "t", faulty.FailOn(1, 2).HandleAsync, new() { MaxAttempts = 3, RetryDelay = TimeSpan.FromSeconds(10) });

        _bus.Publish("t", "a");
        await _clock.WhenTimersAsync();
        faulty.Calls.Should().Be(1);
        _clock.Advance(TimeSpan.FromSeconds(13));
        await faulty.WhenCalledAsync(2);
        await _clock.WhenTimersAsync();
        _clock.Advance(TimeSpan.FromSeconds(26));
        await _bus.WhenIdleAsync();

        faulty.Calls.Should().Be(3);
        _bus.GetStatistics().HandlerFailures.Should().Be(0);
    }

    [Fact]
    public async Task Stall_HangsUntilReleased()
    {
        FaultyHandler<string> slow = new FaultyHandler<string>().Stall();
        _bus.Handle<string>("t", slow.HandleAsync);

        _bus.Publish("t", "a");
        _bus.Publish("t", "b");
        await slow.WhenCalledAsync();
        Task idle = _bus.WhenIdleAsync();
        idle.IsCompleted.Should().BeFalse();
        slow.Calls.Should().Be(1);

        slow.Release();
        await idle;
        slow.Calls.Should().Be(2);
    }

    [Fact]
    public async Task Stall_HandlerDisposed_IsCancelled()
    {
        FaultyHandler<string> slow = new FaultyHandler<string>().Stall();
        HandlerSubscription subscription = _bus.Handle<string>("t", slow.HandleAsync);
        _bus.Publish("t", "a");
        await slow.WhenCalledAsync();

        subscription.Dispose();

        await subscription.Completion.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task WhenCalledAsync_CalledTooRarely_SaysHowOften()
    {
        Func<Task> wait = () => new FaultyHandler<string>().WhenCalledAsync(2, TimeSpan.Zero);

        await wait.Should().ThrowAsync<TimeoutException>().WithMessage("Call 2 *called 0 times.");
    }

    [Fact]
    public void FailOn_CallZero_IsRefused() =>
        new FaultyHandler<int>().Invoking(f => f.FailOn(0)).Should().Throw<ArgumentOutOfRangeException>();
}
