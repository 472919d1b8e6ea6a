using EventBus.Delivery;

namespace EventBus;

/// <summary>
/// The handle of one subscriber: its own bounded channel, counters and end. Members are safe to use from any number of threads.
/// </summary>
public abstract class Subscription : IDisposable
{
    private protected Subscription(SubscriberChannel channel) => Channel = channel;

    /// <summary>A number, unique within the bus and growing.</summary>
    public long Id => Channel.Id;

    /// <summary>What it listens to.</summary>
    public IReadOnlyList<string> Patterns => Channel.Profile.PatternNames;

    /// <summary>Its name, if it was given one.</summary>
    public string? Name => Channel.Profile.Name;

    /// <summary>The type it asked for.</summary>
    public Type EventType => Channel.Profile.EventType;

    /// <summary>How many events may wait to be read.</summary>
    public int Capacity => Channel.Profile.Capacity;

    /// <summary>How many wait to be read: unread replay included, and events that a handler holds back for their topic.</summary>
    public int Count => Channel.Count;

    /// <summary>How many events were taken out by the consumer.</summary>
    public long Delivered => Channel.Snapshot().Counts.Delivered;

    /// <summary>How many events were lost because the channel was full. Events discarded when the subscriber leaves are not counted.</summary>
    public long Dropped => Channel.Snapshot().Counts.Dropped;

    /// <summary>
    /// Whether replay was asked for from a position that history may no longer reach: events after it may be missing. True in doubt.
    /// </summary>
    public bool ReplayTruncated => Channel.ReplayTruncated;

    /// <summary>
    /// Ends, and never faults, when the subscription has ended and all it held was read; a handler's: was handled. Waiting for it
    /// does not keep an otherwise forgotten subscription from being reclaimed.
    /// </summary>
    public virtual Task Completion => Channel.Completion;

    internal SubscriberChannel Channel { get; }

    /// <summary>Takes no new events, and waits until what is queued was read; a handler's: was handled.</summary>
    /// <param name="cancellationToken">Cancels the waiting; the subscription takes no new events all the same.</param>
    /// <returns>A task that ends when the subscription is empty.</returns>
    /// <exception cref="InvalidOperationException">Called from inside the handler that is to be drained: it would wait for itself.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public virtual ValueTask DrainAsync(CancellationToken cancellationToken = default)
    {
        Channel.End(ChannelEnd.Completed);
        return new ValueTask(Completion.WaitAsync(cancellationToken));
    }

    /// <summary>
    /// Leaves: what is queued is discarded, no more is delivered. Doing it twice is nothing; any thread may.
    /// </summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    private protected virtual void Dispose(bool disposing) => Channel.End(ChannelEnd.Left);

    /// <summary>The patterns and the name, for messages.</summary>
    /// <returns>A short description.</returns>
    public override string ToString() => $"subscription {Id} to {Channel.Profile}";
}
