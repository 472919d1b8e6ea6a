using Microsoft.Extensions.Logging;

namespace EventBus.Diagnostics;

/// <summary>
/// Keeps what a logging provider throws from whoever caused the message: a publisher, who must not see an exception for a
/// subscriber's sake, or the thread that reclaims subscriptions, where it would end the process.
/// </summary>
internal sealed class GuardedLogger(ILogger logger) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => logger.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel) => logger.IsEnabled(logLevel);

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
