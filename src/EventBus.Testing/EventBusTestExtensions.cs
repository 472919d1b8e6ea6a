using System.Runtime.CompilerServices;

namespace EventBus.Testing;

/// <summary>Recording what a bus delivers, and waiting until it is idle.</summary>
public static class EventBusTestExtensions
{
    /// <summary>Records every event of a type from now on. Loses nothing, however many.</summary>
    /// <typeparam name="TEvent">Which events; <c>object</c>: every event.</typeparam>
    /// <param name="bus">The bus.</param>
    /// <param name="pattern">A topic, or a pattern with wildcards; <c>$bus:#</c> for what the bus itself reports.</param>
    /// <param name="options">
    /// Null: a channel that is never full. Else the channel of a subscriber under test: bounded, and together with
    /// <see cref="EventRecorder{TEvent}.Stall"/> that of a subscriber that hangs.
    /// </param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    /// <returns>The recorder. Dispose it to stop recording.</returns>
    /// <exception cref="ArgumentException">The pattern or an option is not allowed, or the bus is not this library's.</exception>
    /// <exception cref="ObjectDisposedException">The bus is disposed.</exception>
    public static EventRecorder<TEvent> Record<TEvent>(
        this IEventBus bus,
        string pattern,
        SubscriptionOptions? options = null,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return bus.Record<TEvent>([pattern], options, callerFile, callerLine);
    }

    /// <summary>Records every event on a topic from now on. Loses nothing, however many.</summary>
    /// <inheritdoc cref="Record{TEvent}(IEventBus, string, SubscriptionOptions?, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="options">Null: a channel that is never full.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    public static EventRecorder<TEvent> Record<TEvent>(
        this IEventBus bus,
        Topic<TEvent> topic,
        SubscriptionOptions? options = null,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull => bus.Record<TEvent>(topic.Name, options, callerFile, callerLine);

    /// <summary>Records what several patterns match, in one order; an event that several of them match comes once.</summary>
    /// <inheritdoc cref="Record{TEvent}(IEventBus, string, SubscriptionOptions?, string, int)"/>
    /// <param name="bus">The bus.</param>
    /// <param name="patterns">At least one topic or pattern.</param>
    /// <param name="options">Null: a channel that is never full.</param>
    /// <param name="callerFile">The caller's file.</param>
    /// <param name="callerLine">The caller's line.</param>
    public static EventRecorder<TEvent> Record<TEvent>(
        this IEventBus bus,
        IReadOnlyCollection<string> patterns,
        SubscriptionOptions? options = null,
        [CallerFilePath] string callerFile = "",
        [CallerLineNumber] int callerLine = 0)
        where TEvent : notnull
    {
        InProcessEventBus inProcess = InProcess(bus);
        return new(options is null
            ? inProcess.SubscribeUnbounded<TEvent>(patterns, callerFile, callerLine)
            : inProcess.Subscribe<TEvent>(patterns, options, default, callerFile, callerLine));
    }

    /// <summary>
    /// Waits until nothing is left to do: ends at the first moment at which no handler has an event queued, running, in a retry
    /// delay or in an unfinished batch, and no write-behind of this bus has one buffered. So all that was published before the
    /// call is done, and all that handlers published in consequence.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="timeout">How long to wait, on the system's clock; null: 30 seconds, as it only guards against hanging.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <returns>A task that ends then.</returns>
    /// <remarks>
    /// Subscriptions that their owners read are not waited for: the bus cannot know what a reader still does with an event. With
    /// a fake clock a retry, a batch or a flush that waits for time is done only after the clock was turned. A handler
    /// that waits for this waits for itself.
    /// </remarks>
    /// <exception cref="TimeoutException">Not idle in time; the message lists who is still busy, and how much each has queued.</exception>
    /// <exception cref="ArgumentException">The bus is not this library's.</exception>
    public static async Task WhenIdleAsync(this IEventBus bus, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        InProcessEventBus inProcess = InProcess(bus);
        TimeSpan limit = timeout ?? Timeouts.Default;
        using CancellationTokenSource expiry = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        expiry.CancelAfter(limit);
        try
        {
            await inProcess.Activity.WhenIdleAsync(expiry.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            string[] busy = inProcess.Activity.DescribeBusy();
            string listed = busy.Length == 0
                ? " Everything turned idle just now."
                : string.Concat(busy.Select(b => $"{Environment.NewLine}  {b}"));
            throw new TimeoutException($"The bus was not idle within {limit}. Still busy:{listed}", exception);
        }
    }

    private static InProcessEventBus InProcess(IEventBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus as InProcessEventBus ?? throw new ArgumentException(
            $"The bus is a {bus.GetType()}; only an {nameof(InProcessEventBus)} can be recorded and waited for. It needs no set-up: use a " +
            "real one in tests.",
            nameof(bus));
    }
}
