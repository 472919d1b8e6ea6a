using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Publishing;

/// <summary>A publish that matched nobody is the commonest mistake: it is counted, and told once for a topic.</summary>
public sealed class UnmatchedTests : IDisposable
{
    private readonly RecordedLog _log = new();
    private readonly OwnMeter _meter = new();
    private readonly InProcessEventBus _bus;

    public UnmatchedTests() => _bus = new(new EventBusOptions().KeepHistory("kept:#"), _log, meterFactory: _meter);

    private long Unmatched => _bus.GetStatistics().Unmatched;

    public void Dispose()
    {
        _bus.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public async Task Publish_ThatMatchedNobody_IsCounted()
    {
        using Subscription<string> texts = _bus.Subscribe<string>("a");
        _bus.Publish("a", "heard");
        Unmatched.Should().Be(0);

        _bus.Publish("b", 1);
        Unmatched.Should().Be(1);
        _bus.Publish("a", 1);
        Unmatched.Should().Be(2, "it was for texts only");
        _bus.Publish("a", "mine", except: texts);
        Unmatched.Should().Be(3, "nobody else listens");
        await _bus.PublishAsync("b", 1);
        Unmatched.Should().Be(4);
        _bus.Publish("kept:1", 1);
        Unmatched.Should().Be(5, "history has it, but nobody heard it");

        _bus.GetStatistics().Published.Should().Be(6);
        _meter.MeasuredBy("eventbus.events.unmatched").Should()
            .HaveCount(5).And.OnlyContain(m => m.Value == 1 && m.Tags == "messaging.system=eventbus messaging.operation.name=publish");
        _meter.MeasuredBy("messaging.client.sent.messages").Should().HaveCount(6)
            .And.OnlyContain(m => m.Tags == "messaging.system=eventbus messaging.operation.name=publish");
    }

    [Fact]
    public async Task Publish_NotAccepted_IsNotCounted()
    {
        _bus.Publish("kept:1", 1);
        _bus.Complete("kept:1").Should().BeTrue();
        long before = Unmatched;

        _bus.Publish("kept:1", 2);
        await _bus.PublishAsync("kept:1", 2);
        FluentActions.Invoking(() => _bus.Publish("$bus:lagging", 1)).Should().Throw<ArgumentException>();
        await FluentActions.Awaiting(() => _bus.PublishAsync("b", 1, new CancellationToken(canceled: true)).AsTask())
            .Should().ThrowAsync<OperationCanceledException>();
        _bus.Dispose();
        _bus.Publish("b", 1);

        Unmatched.Should().Be(before);
        _bus.GetStatistics().RefusedAfterCompletion.Should().Be(2);
    }

    [Fact]
    public void OwnTrafficThatNobodyHears_IsNotCounted()
    {
        using Subscription<int> slow = _bus.Subscribe<int>("a", new() { Capacity = 1 });
        _bus.Publish("a", 1);
        _bus.Publish("a", 2);

        Unmatched.Should().Be(0);
        _log.Lines.Should().OnlyContain(l => l.Level == LogLevel.Warning, "the lagging is told");
    }

    [Fact]
    public void Publish_ThatMatchedNobody_IsLoggedOncePerTopic()
    {
        for (int i = 0; i < 3; i++)
        {
            _bus.Publish("nobody:here", "x");
            _bus.Publish("nobody:there", 1);
            _bus.Publish("kept:1", 1);
        }

        _log.Lines.Select(l => (l.Level, l.Id)).Should().Equal(Enumerable.Repeat((LogLevel.Debug, 16), 3));
        _log.Lines.First().Message.Should().Contain("nobody:here").And.Contain("nobody listens").And.Contain("System.String")
            .And.Contain("common mistake");
    }

    [Fact]
    public void Publish_ThatMatchedNobody_IsNotLoggedAgainThoughSubscribersCameAndWent()
    {
        using (_bus.Subscribe<int>("a"))
            _bus.Publish("a", 1);
        _log.Lines.Should().BeEmpty();

        foreach (string pattern in (string[])["a", "*", "a"])
        {
            _bus.Publish("a", 1);
            using Subscription<int> joins = _bus.Subscribe<int>(pattern);
            _bus.Publish("a", 1);
        }

        _bus.Publish("a", 1);
        _log.Lines.Should().ContainSingle();
    }

    [Fact]
    public void Log_ThatPublishesAndSubscribesFromAnotherThread_IsNotUnderALock()
    {
        InProcessEventBus? bus = null;
        using CallingLog calling = new(() =>
        {
            Task.Run(() =>
            {
                using Subscription<int> joins = bus!.Subscribe<int>("kept:#", new() { Replay = Replay.All });
                bus.Publish("kept:2", 1).Matched.Should().Be(1);
            }).Soon().GetAwaiter().GetResult();
        });
        using (bus = new(new EventBusOptions().KeepHistory("kept:#"), calling))
        {
            bus.Publish("kept:1", 1);
            bus.Publish("plain", 1);
        }

        calling.Calls.Should().Be(2);
    }

    [Fact]
    public void Publish_DebugIsOff_LogsNothingAndAllocatesNothing()
    {
        using CallingLog silent = new(() => Assert.Fail("It is off.")) { Least = LogLevel.Information };
        using InProcessEventBus bus = new(loggerFactory: silent);
        bus.Publish("nobody", 1);

        Memory.AllocatedBy(() => bus.Publish("nobody", 2)).Should().Be(0);

        silent.Least = LogLevel.Debug;
        FluentActions.Invoking(() => bus.Publish("nobody", 3)).Should().NotThrow("what a log throws is kept");
        silent.Calls.Should().Be(1, "it was not told yet");
    }

    /// <summary>A log that does something for each line.</summary>
    private sealed class CallingLog(Action call) : ILoggerFactory, ILogger
    {
        public LogLevel Least { get; set; } = LogLevel.Trace;

        public int Calls { get; private set; }

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= Least;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Calls++;
            call();
        }
    }
}
