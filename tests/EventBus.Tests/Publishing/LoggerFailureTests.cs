using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Publishing;

public sealed class LoggerFailureTests
{
    [Fact]
    public void Publish_LoggerThrows_PublisherSeesOnlyTheLoss()
    {
        using ThrowingLoggerFactory throwing = new();
        using InProcessEventBus bus = new(loggerFactory: throwing);
        using Subscription<int> full = bus.Subscribe<int>("a", new() { Capacity = 1 });
        bus.Publish("a", 1);

        bus.Publish("a", 2).Should().Be(new PublishResult(Matched: 1, Dropped: 1));

        throwing.Attempts.Should().Be(1, "the first loss of an episode is logged");
    }

    private sealed class ThrowingLoggerFactory : ILoggerFactory, ILogger
    {
        public int Attempts { get; private set; }

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Attempts++;
            throw new InvalidOperationException("The log is full.");
        }
    }
}
