using EventBus.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Routing;

/// <summary>Tells, once for a topic, that an event was published and matched nobody; nothing is kept or done unless Debug is logged.</summary>
/// <remarks>
/// It remembers as many topics as there are places: two that share one may each be told again. Read and written without a lock, by
/// publishers who hold none; two that tell the same topic at the very same time are told apart by the exchange.
/// </remarks>
internal sealed class UnheardTopics(ILogger logger)
{
    private const int Places = 4096;

    /// <summary>The topics told last, each at a place that follows from its name; null: none yet.</summary>
    private string?[]? _told;

    public void Tell(string topic, Type eventType)
    {
        if (!logger.IsEnabled(LogLevel.Debug))
            return;
        try
        {
            string?[] told = Volatile.Read(ref _told) ?? Create();
            ref string? place = ref told[StringComparer.Ordinal.GetHashCode(topic) & (Places - 1)];
            if (Volatile.Read(ref place) != topic && Interlocked.Exchange(ref place, topic) != topic)
                Log.PublishUnheard(logger, eventType.ToString(), topic);
        }
        catch (OutOfMemoryException)
        {
            // The publisher's event is not concerned.
        }
    }

    private string?[] Create()
    {
        string?[] created = new string?[Places];
        return Interlocked.CompareExchange(ref _told, created, null) ?? created;
    }
}
