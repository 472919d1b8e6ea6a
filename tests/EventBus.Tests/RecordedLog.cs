using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests;

/// <summary>A logger factory that keeps what is logged, and can be awaited.</summary>
internal sealed class RecordedLog : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<LogLine> _lines = new();
    private readonly Channel<LogLine> _next = Channel.CreateUnbounded<LogLine>();

    /// <summary>The least that is logged.</summary>
    public LogLevel Least { get; init; } = LogLevel.Trace;

    /// <summary>All that was logged so far.</summary>
    public IReadOnlyCollection<LogLine> Lines => _lines;

    /// <summary>The next line that was not awaited yet.</summary>
    public Task<LogLine> NextAsync() => _next.Reader.ReadAsync().Soon();

    /// <summary>The next line, for which something is done again and again: what it takes may not be there the first time.</summary>
    public async Task<LogLine> NextAfterAsync(Action action)
    {
        Task<LogLine> next = NextAsync();
        while (!next.IsCompleted)
        {
            action();
            await Task.Yield();
        }

        return await next;
    }

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

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        LogLine line = new(logLevel, eventId.Id, formatter(state, exception), exception);
        _lines.Enqueue(line);
        _next.Writer.TryWrite(line);
    }
}

/// <summary>One line of a log.</summary>
internal sealed record LogLine(LogLevel Level, int Id, string Message, Exception? Exception);
