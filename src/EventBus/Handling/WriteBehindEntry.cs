using System.Diagnostics;
using System.Runtime.CompilerServices;
using EventBus.Diagnostics;

namespace EventBus.Handling;

/// <summary>An event in a write-behind's buffer.</summary>
/// <param name="Buffered">The event, as the store gets it.</param>
/// <param name="Publisher">The span it was published in; null if it was not traced. A box, as it costs room only then.</param>
internal readonly record struct WriteBehindEntry<TEvent>(BufferedEvent<TEvent> Buffered, StrongBox<ActivityContext>? Publisher)
    where TEvent : notnull
{
    /// <summary>The caller's span, if there is one and anyone listens to spans of the bus.</summary>
    public static StrongBox<ActivityContext>? CurrentPublisher() =>
        BusTelemetry.IsTraced && Activity.Current is { } span ? new StrongBox<ActivityContext>(span.Context) : null;
}
