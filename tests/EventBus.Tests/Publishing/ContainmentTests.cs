using System.Runtime.CompilerServices;
using EventBus.Testing;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Publishing;

/// <summary>What is plugged in and fails where the bus reports harms neither publishers nor the report.</summary>
public sealed class ContainmentTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Publish_LogThrows_IsTakenAndTheLaggingIsPublished(bool isEnabledThrows)
    {
        ThrowingLog log = new() { IsEnabledThrows = isEnabledThrows };
        using InProcessEventBus bus = new(loggerFactory: log);
        using Subscription<BusEvent> reports = bus.Subscribe<BusEvent>("$bus:lagging");
        using Subscription<int> full = bus.Subscribe<int>("a", new() { Capacity = 1 }), other = bus.Subscribe<int>("a");

        bus.Publish("nobody", 0).Should().Be(default(PublishResult));
        bus.Publish("a", 1);
        bus.Publish("a", 2).Should().Be(new PublishResult(Matched: 2, Dropped: 1));

        reports.ReadEvents().Should().ContainSingle().Which.Should().BeOfType<BusEvent.SubscriberLagging>();
        other.ReadEvents().Should().Equal(1, 2);
        bus.GetStatistics().Unmatched.Should().Be(1);
        log.Attempts.Should().BeGreaterThanOrEqualTo(2, "both were to be told");
    }

    [Theory]
    [InlineData("messaging.client.sent.messages")]
    [InlineData("eventbus.events.dropped")]
    [InlineData("eventbus.events.unmatched")]
    public async Task Publish_MetricsListenerThrows_IsTakenAndCountedAndReported(string instrument)
    {
        using OwnMeter meter = new() { FailsAt = instrument };
        FakeTimeProvider time = new();
        using InProcessEventBus bus = new(timeProvider: time, meterFactory: meter);
        using Subscription<BusEvent> reports = bus.Subscribe<BusEvent>("$bus:#");
        using Subscription<int> full = bus.Subscribe<int>("a", new() { Capacity = 1 }), other = bus.Subscribe<int>("a");
        Task<int> waiting = other.NextAsync();

        bus.Publish("nobody", 0).Should().Be(default(PublishResult));
        bus.Publish("a", 1).Should().Be(new PublishResult(2, 0));
        bus.Publish("a", 2).Should().Be(new PublishResult(2, 1));
        Task<PublishResult> timesOut = bus.PublishAsync("a", 3).AsTask();
        time.Advance(TimeSpan.FromSeconds(1));

        (await timesOut.Soon()).Should().Be(new PublishResult(2, 1));
        (await waiting).Should().Be(1);
        other.ReadEvents().Should().Equal(2, 3);
        reports.ReadEvents().Should().ContainSingle();
        EventBusStatistics statistics = bus.GetStatistics();
        (statistics.Published, statistics.Unmatched, statistics.Dropped).Should().Be((4, 1, 2));
        meter.MeasuredBy(instrument).Should().NotBeEmpty("it was asked, and threw");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task HandlerFailed_LogThrows_IsPublished(bool isEnabledThrows)
    {
        await using InProcessEventBus bus = new(loggerFactory: new ThrowingLog { IsEnabledThrows = isEnabledThrows });
        using Subscription<BusEvent> failures = bus.Subscribe<BusEvent>("$bus:failures");
        bus.Handle<int>("a", (_, _) => throw new InvalidOperationException("no"));

        bus.Publish("a", 1);

        (await failures.NextAsync()).Should().BeOfType<BusEvent.HandlerFailed>();
    }

    /// <summary>It is reclaimed by a work item, in which an exception would end the process.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Abandoned_LogThrows_IsReclaimedAllTheSame(bool isEnabledThrows)
    {
        ThrowingLog log = new() { IsEnabledThrows = isEnabledThrows };
        using InProcessEventBus bus = new(loggerFactory: log);
        Forget(bus);

        Memory.Collect();

        await log.Attempted.Soon();
        bus.HasSubscribers("a").Should().BeFalse();
        bus.GetStatistics().Subscriptions.Should().Be(0);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Forget(InProcessEventBus bus) => bus.Subscribe<int>("a");
    }

    private sealed class ThrowingLog : ILoggerFactory, ILogger
    {
        private readonly TaskCompletionSource _attempted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _attempts;

        public bool IsEnabledThrows { get; init; }

        public int Attempts => Volatile.Read(ref _attempts);

        public Task Attempted => _attempted.Task;

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => IsEnabledThrows ? throw new InvalidOperationException("Is it?") : true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Interlocked.Increment(ref _attempts);
            _attempted.TrySetResult();
            throw new InvalidOperationException("The log is full.");
        }
    }
}
