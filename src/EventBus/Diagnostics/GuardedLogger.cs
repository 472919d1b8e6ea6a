using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus.Diagnostics;

/// <summary>
/// Keeps what a logging provider throws from whoever caused the message: a publisher, who must not see an exception for a
/// subscriber's sake, or the thread that reclaims subscriptions, where it would end the process.
/// </summary>
internal sealed class GuardedLogger(ILogger logger) : ILogger
{
    /// <summary>The library's logger.</summary>
    /// <param name="factory">The user's; null: nothing is logged.</param>
    public static ILogger From(ILoggerFactory? factory) =>
        new GuardedLogger((factory ?? NullLoggerFactory.Instance).CreateLogger(EventBusTelemetry.Name));

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
    {
        try
        {
            return logger.BeginScope(state);
        }
        catch (Exception)
        {
            return null;
        }
    }

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return logger.IsEnabled(logLevel);
        }
        catch (Exception)
        {
            // Whether it would be written is not known, so it is tried.
            return logLevel != LogLevel.None;
        }
    }

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            logger.Log(logLevel, eventId, state, exception, formatter);
        }
        catch (Exception)
        {
            // There is nowhere left to tell it.
        }
    }
}
