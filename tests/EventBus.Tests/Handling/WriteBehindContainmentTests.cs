using EventBus.Handling;
using EventBus.Testing;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Handling;

/// <summary>Whatever is plugged in throws: the pump goes on, nothing is appended or broadcast twice for it, and disposal ends.</summary>
public sealed class WriteBehindContainmentTests
{
    [Theory]
    [InlineData(20)]
    [InlineData(21)]
    [InlineData(23)]
    [InlineData(24)]
    [InlineData(null)]
    public async Task Logger_ThatThrows_StopsNothingAndHasNothingAppendedTwice(int? line)
    {
        FaultyLog log = new(line);
        RecordingStore<string> store = new();
        FaultyPublisher publisher = new();
        store.OnAppend = (call, _) => call == 1 ? throw new IOException("down") : ValueTask.CompletedTask;
        store.Refuse("refused");
        WriteBehindPublisher<string> writeBehind = new(
            publisher,
            store,
            new WriteBehindOptions { MaxBatchSize = 1, MaxAttempts = 2, RetryDelay = TimeSpan.FromMilliseconds(1) },
            loggerFactory: log);
        foreach (string @event in (string[])["a", "refused", "unheard", "b"])
            writeBehind.Publish("run:1", @event);

        await writeBehind.DisposeAsync().Soon();

        store.Events.Should().Equal("a", "unheard", "b");
        publisher.Published.Should().Equal("a", "b");
        log.Thrown.Should().BeGreaterThan(0);
    }

    [Fact]
    public async Task Logger_ThatThrowsWhenTheLossIsTold_DoesNotHangDisposal()
    {
        FaultyLog log = new(line: 22);
        RecordingStore<string> store = new();
        TaskCompletionSource gate = store.HoldUp();
        WriteBehindPublisher<string> writeBehind = new(
            new FaultyPublisher(), store, new WriteBehindOptions { DrainTimeout = TimeSpan.Zero }, loggerFactory: log);
        writeBehind.Publish("run:1", "a");

        await writeBehind.DisposeAsync().Soon();

        log.Thrown.Should().Be(1);
        gate.SetResult();
    }

    [Theory]
    [InlineData(typeof(OutOfMemoryException))]
    [InlineData(typeof(OperationCanceledException))]
    [InlineData(typeof(ObjectDisposedException))]
    public async Task Store_ThatThrowsAtOnceOrLater_IsTriedAgain(Type failure)
    {
        await using WriteBehindFixture fixture = new();
        Exception exception = failure == typeof(ObjectDisposedException) ? new ObjectDisposedException("it") : (Exception)Activator.CreateInstance(failure)!;
        fixture.Store.OnAppend = (call, _) => call switch
        {
            1 => throw exception,
            2 => ValueTask.FromException(exception),
            3 => new ValueTask(Task.Run(() => throw exception, CancellationToken.None)),
            _ => ValueTask.CompletedTask,
        };
        fixture.Publish("a");

        await fixture.FlushAsync();

        fixture.Store.Calls.Should().HaveCount(4);
        fixture.Listener.ReadEvents().Should().Equal("a");
    }

    [Fact]
    public async Task Clock_ThatThrows_DelaysNothingForEver()
    {
        FaultyClock clock = new();
        RecordingStore<string> store = new();
        store.FailFirst(2);
        using InProcessEventBus bus = new(timeProvider: clock);
        using Subscription<string> listener = bus.Subscribe<string>("#");
        await using WriteBehindPublisher<string> writeBehind = new(
            bus, store, new WriteBehindOptions { FlushInterval = TimeSpan.FromMilliseconds(1), RetryDelay = TimeSpan.FromMilliseconds(1) });
        clock.IsBroken = true;
        writeBehind.Publish("run:1", "a");

        (await listener.NextAsync()).Should().Be("a");
        await writeBehind.DisposeAsync().Soon();

        store.Events.Should().Equal("a");
    }

    /// <summary>The pump's clock is guarded, so this stands for what is not: any step of it may fail, for want of memory.</summary>
    [Fact]
    public async Task Pump_ThatFailsItself_GoesOnWhereItWas()
    {
        FaultyClock clock = new();
        RecordedLog log = new();
        RecordingStore<string> store = new();
        FaultyPublisher publisher = new();
        store.Refuse("refused");
        WriteBehindOptions options = new()
        {
            Capacity = 1,
            MaxBatchSize = 1,
            MaxAttempts = 1,
            RetryDelay = TimeSpan.FromMilliseconds(1),
            FlushInterval = TimeSpan.FromHours(1),
        };
        WriteBehindBuffer<string> buffer = new(options);
        WriteBehindPump<string> pump = new(buffer, publisher, store, options, clock, log);
        clock.IsBroken = true;
        buffer.TryAddOrWait("run:1", "refused", default, null, out _, out WriteBehindWork work).Should().BeTrue();
        List<Task> waiting = [];
        foreach (string @event in (string[])["a", "b"])
        {
            buffer.TryAddOrWait("run:1", @event, default, null, out RoomWait<string>? wait, out WriteBehindWork none).Should().BeTrue();
            none.Should().Be(WriteBehindWork.None);
            waiting.Add(wait!.Task);
        }

        // The throttle of its log cannot ask for the time; no pause can be made; and the interval's timer cannot be started.
        pump.Do(work & WriteBehindWork.StartPump);
        await Task.WhenAll(waiting).Soon();
        Task flushed = buffer.Flush(out work);
        pump.Do(work);
        await flushed.Soon();

        store.Calls.Select(c => c[0].Event).Should().Equal("refused", "a", "b");
        publisher.Published.Should().Equal("a", "b");
        log.Lines.Should().Contain(l => l.Id == 27);
        buffer.Held.Should().Be(0);

        // It has not only survived, it can be started again.
        clock.IsBroken = false;
        buffer.TryAdd("run:1", "c", default, null, out work).Should().BeTrue();
        pump.Do(work);
        flushed = buffer.Flush(out work);
        pump.Do(work);
        await flushed.Soon();
        publisher.Published.Should().Equal("a", "b", "c");
    }

    [Fact]
    public async Task DisposeAsync_PublisherThatNeverReturns_IsNotWaitedForAndSaidSo()
    {
        FakeTimeProvider clock = new();
        RecordedLog log = new();
        FaultyPublisher publisher = new();
        using ManualResetEventSlim release = new();
        TaskCompletionSource entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        publisher.OnPublish = () =>
        {
            entered.SetResult();
            release.Wait(HangGuard.Limit).Should().BeTrue();
        };
        WriteBehindOptions options = new() { FlushInterval = TimeSpan.Zero, DrainTimeout = TimeSpan.Zero };
        WriteBehindPublisher<string> writeBehind = new(publisher, new RecordingStore<string>(), options, clock, log);
        writeBehind.Publish("run:1", "a");
        await entered.Task.Soon();

        Task disposal = writeBehind.DisposeAsync().AsTask();
        await clock.WhenTimersAsync();
        clock.Advance(TimeSpan.FromSeconds(5));
        await disposal.Soon();

        log.Lines.Should().ContainSingle().Which.Id.Should().Be(28);
        release.Set();
    }

    private sealed class FaultyPublisher : IEventPublisher
    {
        public List<object> Published { get; } = [];

        public Action? OnPublish { get; set; }

        public PublishResult Publish<TEvent>(string topic, TEvent @event, Subscription? except = null)
            where TEvent : notnull
        {
            OnPublish?.Invoke();
            if (@event is "unheard")
                throw new InsufficientExecutionStackException();
            Published.Add(@event);
            return new PublishResult(1, 0);
        }

        public ValueTask<PublishResult> PublishAsync<TEvent>(
            string topic, TEvent @event, Subscription? except = null, CancellationToken cancellationToken = default)
            where TEvent : notnull => new(Publish(topic, @event, except));
    }

    /// <summary>Throws at one line, or at everything.</summary>
    private sealed class FaultyLog(int? line) : ILoggerFactory, ILogger
    {
        private int _thrown;

        public int Thrown => Volatile.Read(ref _thrown);

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => line is not null || Throw();

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (line is null || eventId.Id == line)
                Throw();
        }

        private bool Throw()
        {
            Interlocked.Increment(ref _thrown);
            throw new IOException("The disk is full.");
        }
    }

    /// <summary>The system's clock, until it breaks: then it neither tells the time nor makes or starts a timer.</summary>
    private sealed class FaultyClock : TimeProvider
    {
        public bool IsBroken { get; set; }

        public override DateTimeOffset GetUtcNow() => IsBroken ? throw new IOException("broken") : base.GetUtcNow();

        public override long GetTimestamp() => IsBroken ? throw new IOException("broken") : base.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            IsBroken ? throw new IOException("broken") : new Timer(this, base.CreateTimer(callback, state, dueTime, period));

        private sealed class Timer(FaultyClock clock, ITimer inner) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) =>
                clock.IsBroken ? throw new IOException("broken") : inner.Change(dueTime, period);

            public void Dispose() => inner.Dispose();

            public ValueTask DisposeAsync() => inner.DisposeAsync();
        }
    }
}
