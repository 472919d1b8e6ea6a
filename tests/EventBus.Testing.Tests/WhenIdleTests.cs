using EventBus.Handling;
using NSubstitute;

namespace EventBus.Testing.Tests;

public sealed class WhenIdleTests : IAsyncDisposable
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);
    private readonly FakeTimeProvider _clock = new();
    private readonly InProcessEventBus _bus;

    public WhenIdleTests() => _bus = new InProcessEventBus(timeProvider: _clock);

    public ValueTask DisposeAsync() => _bus.DisposeAsync();

    [Fact]
    public async Task NothingPublished_EndsAtOnce()
    {
        await _bus.WhenIdleAsync(TimeSpan.Zero);
        _bus.Handle<string>("t", (_, _) => default);
        await _bus.WhenIdleAsync(Guard);
    }

    [Fact]
    public async Task HandlersPublishThreeLevelsDeep_AllIsDone()
    {
        int third = 0;
        Chain("first", "second");
        Chain("second", "third");
        Count("third", () => third++);

        for (int i = 0; i < 10; i++)
            _bus.Publish("first", i);
        await _bus.WhenIdleAsync();

        third.Should().Be(40, "two levels double what they get");
    }

    [Fact]
    public async Task HandlerInRetryDelay_IsIdleOnlyAfterTheClockMoved()
    {
        FaultyHandler<string> faulty = new();
        _bus.Handle<string>("t", faulty.FailOn(1).HandleAsync, new() { MaxAttempts = 2, RetryDelay = TimeSpan.FromMinutes(1) });

        _bus.Publish("t", "a");
        await _clock.WhenTimersAsync();
        Task idle = _bus.WhenIdleAsync();
        await Busy();
        idle.IsCompleted.Should().BeFalse();

        _clock.Advance(TimeSpan.FromMinutes(2));
        await idle;
        faulty.Calls.Should().Be(2);
    }

    [Fact]
    public async Task BatchNotYetFull_IsIdleOnlyOnceItIsDue()
    {
        int handled = 0;
        HandleBatches(batch => handled += batch.Count, new() { MaxBatchSize = 10, MaxBatchDelay = TimeSpan.FromMinutes(1) });

        _bus.Publish("t", 1);
        await _clock.WhenTimersAsync();
        Task idle = _bus.WhenIdleAsync();
        await Busy();
        idle.IsCompleted.Should().BeFalse();
        handled.Should().Be(0);

        _clock.Advance(TimeSpan.FromMinutes(1));
        await idle;
        handled.Should().Be(1);
    }

    [Fact]
    public async Task BatchFills_IsIdleWithoutTheClock()
    {
        int handled = 0;
        HandleBatches(batch => handled += batch.Count, new() { MaxBatchSize = 2, MaxBatchDelay = TimeSpan.FromMinutes(1) });

        for (int i = 0; i < 4; i++)
            _bus.Publish("t", i);
        await _bus.WhenIdleAsync();

        handled.Should().Be(4);
    }

    [Fact]
    public async Task UnreadPullSubscription_IsNotWaitedFor()
    {
        using Subscription<string> unread = _bus.Subscribe<string>("t");
        _bus.Publish("t", "a");

        await _bus.WhenIdleAsync();

        unread.Count.Should().Be(1);
    }

    [Fact]
    public async Task HandlerPublishesToItselfAThousandTimes_AllIsDone()
    {
        int last = 0;
        _bus.Handle<int>("t", (e, _) =>
        {
            last = e.Event;
            if (e.Event < 1000)
                _bus.Publish("t", e.Event + 1);
            return default;
        });

        _bus.Publish("t", 1);
        await _bus.WhenIdleAsync();

        last.Should().Be(1000);
    }

    [Fact]
    public async Task HandlerNeverReturns_TimesOutWithTheBusyOnesAndTheirQueues()
    {
        FaultyHandler<string> hanging = new FaultyHandler<string>().Stall();
        _bus.Handle<string>("order:#", hanging.HandleAsync, new() { Name = "billing" });
        _bus.Handle<string>("mail", (_, _) => default);
        for (int i = 0; i < 4; i++)
            _bus.Publish("order:1", "a");
        await hanging.WhenCalledAsync();
        Func<Task> idle = () => _bus.WhenIdleAsync(TimeSpan.Zero);

        (await idle.Should().ThrowAsync<TimeoutException>()).Which.Message
            .Should().Contain("handler of \"order:#\" (billing): 3 queued, 1 running").And.NotContain("mail");
        hanging.Release();
    }

    [Fact]
    public async Task TokenCancelled_IsCancelled()
    {
        FaultyHandler<string> hanging = new FaultyHandler<string>().Stall();
        _bus.Handle<string>("t", hanging.HandleAsync);
        _bus.Publish("t", "a");
        using CancellationTokenSource source = new();
        Task idle = _bus.WhenIdleAsync(cancellationToken: source.Token);

        await source.CancelAsync();

        await idle.Invoking(i => i).Should().ThrowAsync<OperationCanceledException>();
        hanging.Release();
    }

    [Fact]
    public async Task BusyHandlerIsDisposed_NobodyWaitsForItsQueue()
    {
        FaultyHandler<string> hanging = new FaultyHandler<string>().Stall();
        HandlerSubscription subscription = _bus.Handle<string>("t", hanging.HandleAsync);
        _bus.Publish("t", "a");
        _bus.Publish("t", "b");
        await hanging.WhenCalledAsync();
        Task idle = _bus.WhenIdleAsync();

        subscription.Dispose();

        await idle;
        hanging.Calls.Should().Be(1);
    }

    [Fact]
    public async Task ConcurrentHandlerOverflowsAndCloses_ItsRunningEventsAreWaitedFor()
    {
        FaultyHandler<string> hanging = new FaultyHandler<string>().Stall();
        HandlerSubscription subscription = _bus.Handle<string>(
            "t:*",
            hanging.HandleAsync,
            new() { Capacity = 1, Overflow = OverflowPolicy.Close, MaxConcurrency = 4, Order = HandlerOrder.None });
        _bus.Publish("t:1", "a");
        await hanging.WhenCalledAsync();
        _bus.Publish("t:2", "b");
        await hanging.WhenCalledAsync(2);
        do
            _bus.Publish("t:3", "c");
        while (_bus.HasSubscribers("t:3"));

        Task idle = _bus.WhenIdleAsync();
        await Busy();
        subscription.Completion.IsCompleted.Should().BeFalse("two events are still being handled");
        idle.IsCompleted.Should().BeFalse("two events are still being handled");

        hanging.Release();
        await idle;
        await subscription.Completion.WaitAsync(Guard);
    }

    [Fact]
    public async Task NotTheLibrarysBus_IsRefused()
    {
        IEventBus mock = Substitute.For<IEventBus>();

        await mock.Invoking(m => m.WhenIdleAsync()).Should().ThrowAsync<ArgumentException>();
        mock.Invoking(m => m.Record<string>("t")).Should().Throw<ArgumentException>();
    }

    /// <summary>Looks once more at who is busy, so that what would end too early has had its chance.</summary>
    private async Task Busy() =>
        await _bus.Invoking(b => b.WhenIdleAsync(TimeSpan.Zero)).Should().ThrowAsync<TimeoutException>();

    private void Chain(string from, string to) => _bus.Handle<int>(from, (e, _) =>
    {
        _bus.Publish(to, e.Event);
        _bus.Publish(to, e.Event);
        return default;
    });

    private void Count(string topic, Action count) => _bus.Handle<int>(topic, (_, _) =>
    {
        count();
        return default;
    });

    private void HandleBatches(Action<IReadOnlyList<Envelope<int>>> handle, HandlerOptions options) => _bus.Handle(
        ["t"],
        HandlerCall<int>.ForBatch((batch, _) =>
        {
            handle(batch);
            return default;
        }),
        options,
        "",
        0,
        default);
}
