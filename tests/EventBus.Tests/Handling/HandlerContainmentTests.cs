using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Handling;

/// <summary>Whatever is plugged into a handler may throw, at any moment: each event is still settled, and no worker is lost.</summary>
public sealed class HandlerContainmentTests
{
    [Theory]
    [InlineData(1, HandlerOrder.PerTopic)]
    [InlineData(4, HandlerOrder.PerTopic)]
    [InlineData(4, HandlerOrder.None)]
    public async Task EverythingThrowsAtRandom_EachEventIsHandledOrReported(int concurrency, HandlerOrder order)
    {
        const int Events = 2000;
        using FormattingLog log = new();
        await using InProcessEventBus bus = new(loggerFactory: log);
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic, new SubscriptionOptions { Capacity = Events });
        Random random = new(20260);
        Lock gate = new();
        HashSet<int> handled = [];
        void ThrowSometimes()
        {
            lock (gate)
            {
                if (random.Next(4) == 0)
                    throw new UnspeakableException();
            }
        }

        HandlerOptions options = new()
        {
            Capacity = Events,
            MaxConcurrency = concurrency,
            Order = order,
            MaxAttempts = 2,
            RetryDelay = TimeSpan.Zero,
            ShouldRetry = _ =>
            {
                ThrowSometimes();
                return true;
            },
        };
        for (int i = 0; i < 2; i++)
        {
            options.Filters.Add(new TestFilter(async (_, next, token) =>
            {
                ThrowSometimes();
                await next(token);
                ThrowSometimes();
            }));
        }

        bus.Handle<Unspeakable>(
            "topic:*",
            async (e, _) =>
            {
                ThrowSometimes();
                await Task.Yield();
                ThrowSometimes();
                lock (gate)
                    handled.Add(e.Event.Number);
            },
            options);

        for (int i = 0; i < Events; i++)
            bus.Publish($"topic:{i % 7}", new Unspeakable(i));
        await bus.WhenIdleAsync();

        BusEvent.HandlerFailed[] failed = failures.ReadEvents();
        int[] reported = [.. failed.Select(f => ((Unspeakable)f.Events.Single().Event).Number)];
        reported.Should().OnlyHaveUniqueItems();
        handled.Union(reported).Should().HaveCount(Events);
        failed.Should().OnlyContain(f => f.Exception is UnspeakableException && f.Attempts >= 1 && f.Attempts <= 2);
        bus.GetStatistics().HandlerFailures.Should().Be(reported.Length);
    }

    /// <summary>An event that cannot be told.</summary>
    private sealed class Unspeakable(int number)
    {
        public int Number => number;

        public override string ToString() => throw new InvalidOperationException("no text");

        public override bool Equals(object? obj) => throw new InvalidOperationException("no equality");

        public override int GetHashCode() => throw new InvalidOperationException("no hash");
    }

    private sealed class UnspeakableException : Exception
    {
        public override string Message => throw new InvalidOperationException("no message");

        public override string ToString() => throw new InvalidOperationException("no text");
    }

    /// <summary>A log that writes exceptions out, as every real one does.</summary>
    private sealed class FormattingLog : ILoggerFactory, ILogger
    {
        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _ = $"{formatter(state, exception)}{exception}";

        public void Dispose()
        {
        }
    }
}
