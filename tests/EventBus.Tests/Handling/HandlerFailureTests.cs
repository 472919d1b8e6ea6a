using EventBus.Testing;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Handling;

public sealed class HandlerFailureTests
{
    public static TheoryData<string, Func<ValueTask>> WaysToFail { get; } = new()
    {
        { "synchronously", () => throw new InvalidOperationException("broken") },
        {
            "asynchronously",
            async () =>
            {
                await Task.Yield();
                throw new InvalidOperationException("broken");
            }
        },
        { "with a cancellation of its own", () => new ValueTask(Task.FromCanceled(new CancellationToken(canceled: true))) },
    };

    [Theory]
    [MemberData(nameof(WaysToFail))]
    public async Task Failure_IsLoggedCountedAndPublishedOnce_AndReachesNobodyElse(string way, Func<ValueTask> fail)
    {
        RecordedLog log = new();
        await using InProcessEventBus bus = new(loggerFactory: log);
        using Subscription<BusEvent> failures = bus.Subscribe<BusEvent>("$bus:failures");
        List<string> others = [];
        bus.Handle<object>("topic", (_, _) => fail(), new HandlerOptions { Name = way });
        bus.Handle<string>("topic", (e, _) =>
        {
            others.Add(e.Event);
            return default;
        });

        PublishResult result = bus.Publish("topic", "a");
        bus.Publish("topic", "b");
        await bus.WhenIdleAsync();

        result.Should().Be(new PublishResult(2, 0));
        others.Should().Equal("a", "b");
        BusEvent.HandlerFailed failed = failures.ReadEvents().Should().HaveCount(2).And.AllBeOfType<BusEvent.HandlerFailed>().And.Subject
            .Cast<BusEvent.HandlerFailed>().First();
        failed.Should().BeEquivalentTo(new { Name = way, Topic = "topic", EventType = typeof(string), EventCount = 1, Attempts = 1 });
        failed.Handler.Should().Contain(nameof(HandlerFailureTests));
        bus.GetStatistics().HandlerFailures.Should().Be(2);
        log.Lines.Should().HaveCount(2).And.OnlyContain(l => l.Id == 4 && l.Level == LogLevel.Error && l.Exception != null);
        log.Lines.First().Message.Should().Contain(failed.Handler).And.Contain("System.String").And.Contain("topic").And.Contain("attempt 1");
    }

    [Fact]
    public async Task HandlerThatFailsSometimes_GoesOnWithTheNextEvent()
    {
        await using InProcessEventBus bus = new();
        List<int> handled = [];
        bus.Handle<int>("topic", (e, _) =>
        {
            if (e.Event % 3 == 0)
                throw new InvalidOperationException("divisible");
            handled.Add(e.Event);
            return default;
        });

        for (int i = 1; i <= 9; i++)
            bus.Publish("topic", i);
        await bus.WhenIdleAsync();

        handled.Should().Equal(1, 2, 4, 5, 7, 8);
        bus.GetStatistics().HandlerFailures.Should().Be(3);
    }

    [Fact]
    public async Task FailingHandlerOfFailures_IsOnlyLogged()
    {
        RecordedLog log = new();
        await using InProcessEventBus bus = new(loggerFactory: log);
        bus.Handle<string>("topic", (_, _) => throw new InvalidOperationException("first"));
        bus.Handle<BusEvent>("$bus:#", (_, _) => throw new InvalidOperationException("second"));

        bus.Publish("topic", "a");
        await bus.WhenIdleAsync();

        log.Lines.Select(l => l.Exception!.Message).Should().Equal("first", "second");
        bus.GetStatistics().HandlerFailures.Should().Be(1);
    }

    [Fact]
    public async Task ManyFailures_AreSummedUpInTheLog_AndAllPublished()
    {
        const int Failures = 1000;
        FakeTimeProvider clock = new();
        RecordedLog log = new();
        await using InProcessEventBus bus = new(loggerFactory: log, timeProvider: clock);
        using Subscription<BusEvent> failures = bus.Subscribe<BusEvent>("$bus:failures", new() { Capacity = Failures });
        bus.Handle<int>("topic", (_, _) => throw new InvalidOperationException("broken"));

        for (int i = 0; i < Failures; i++)
            bus.Publish("topic", i);
        await bus.WhenIdleAsync();

        log.Lines.Should().HaveCount(100).And.OnlyContain(l => l.Id == 4);
        failures.ReadQueued().Should().HaveCount(Failures);
        await clock.WhenTimersAsync();
        clock.Advance(TimeSpan.FromMinutes(1));
        for (int i = 0; i < 100; i++)
            await log.NextAsync();
        LogLine summary = await log.NextAsync();
        summary.Id.Should().Be(5);
        summary.Message.Should().Contain("900").And.Contain(nameof(HandlerFailureTests));

        bus.Publish("topic", 0);
        (await log.NextAsync()).Id.Should().Be(4, "a new interval has begun");
    }

    [Fact]
    public async Task LogThatThrows_DoesNotEndTheHandler()
    {
        await using InProcessEventBus bus = new(loggerFactory: new BrokenLog());
        int calls = 0;
        bus.Handle<string>("topic", (_, _) =>
        {
            calls++;
            throw new InvalidOperationException("broken");
        });

        bus.Publish("topic", "a");
        bus.Publish("topic", "b");
        await bus.WhenIdleAsync();

        calls.Should().Be(2);
        bus.GetStatistics().HandlerFailures.Should().Be(2);
    }

    private sealed class BrokenLog : ILoggerFactory, ILogger
    {
        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            throw new InvalidOperationException("the disk is full");

        public void Dispose()
        {
        }
    }
}
