namespace EventBus;

/// <summary>
/// How the bus runs a handler: everything a subscription has, and concurrency, retries, batches and draining. Copied and
/// validated when it is used.
/// </summary>
public class HandlerOptions : SubscriptionOptions
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromHours(24);
    private List<IHandlerFilter> _filters = [];

    /// <summary>How many events are handled at once. Default 1, which keeps order; range 1 to 1,024. Batch handlers: only 1.</summary>
    public int MaxConcurrency { get; set; } = 1;

    /// <summary>
    /// What is kept in order when <see cref="MaxConcurrency"/> is above 1. Default <see cref="HandlerOrder.PerTopic"/>.
    /// </summary>
    public HandlerOrder Order { get; set; } = HandlerOrder.PerTopic;

    /// <summary>How often an event is tried, the first time included. Default 1 (no retry), range 1 to 100.</summary>
    public int MaxAttempts { get; set; } = 1;

    /// <summary>
    /// The delay before the second attempt; it doubles with every further one and is jittered by up to a quarter either way, up to
    /// <see cref="MaxRetryDelay"/>. Default 200 ms, range 0 to 24 hours. A handler that is being stopped or drained makes its remaining
    /// attempts at once.
    /// </summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest delay between two attempts, jitter included. Default 5 minutes, range 0 to 24 hours.</summary>
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Whether an attempt that failed with an exception is followed by another one, while there are any left. Default null: always. One
    /// that throws means no, and is logged; the failure stays what the attempt threw. Called by many threads at once when
    /// <see cref="MaxConcurrency"/> is above 1.
    /// </summary>
    public Func<Exception, bool>? ShouldRetry { get; set; }

    /// <summary>
    /// How long one attempt may take, filters included. Then its token is cancelled, and it has failed with a
    /// <see cref="TimeoutException"/>, also if the handler ends well after that. A handler that heeds no token is still waited for. Default
    /// null: any time; range above 0 to 24 hours.
    /// </summary>
    public TimeSpan? AttemptTimeout { get; set; }

    /// <summary>
    /// What is run around every attempt, the first one outermost, inside of the filters of the bus. Default: none. The instances are
    /// shared by all attempts.
    /// </summary>
    public IList<IHandlerFilter> Filters => _filters;

    /// <summary>
    /// How long a stopping handler may go on with what is queued before its token is cancelled. Default 30 s, range 0 to 24 hours. On the
    /// bus's clock and in real time, whichever is over first.
    /// </summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The most events in one batch. Default 500, range 1 to 1,048,576. Batch handlers only.</summary>
    public int MaxBatchSize { get; set; } = 500;

    /// <summary>
    /// The greatest age of the oldest event in a batch, counted from its taking out of the channel, at which the batch is
    /// handed over though it is not full. Default 100 ms, range 0 to 24 hours. Batch handlers only.
    /// </summary>
    public TimeSpan MaxBatchDelay { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <inheritdoc/>
    internal override SubscriptionOptions Copy()
    {
        var copy = (HandlerOptions)base.Copy();
        copy._filters = [.. _filters];
        return copy;
    }

    /// <inheritdoc/>
    internal override IEnumerable<string> Failures()
    {
        foreach (string failure in base.Failures())
            yield return failure;
        if (MaxConcurrency is < 1 or > 1024)
            yield return $"{nameof(MaxConcurrency)} is {MaxConcurrency}; it must be 1 to 1024 events at once.";
        if (!Enum.IsDefined(Order))
            yield return $"{nameof(Order)} is {(int)Order}; it must be one of {string.Join(", ", Enum.GetNames<HandlerOrder>())}.";
        if (MaxAttempts is < 1 or > 100)
            yield return $"{nameof(MaxAttempts)} is {MaxAttempts}; it must be 1 to 100 attempts.";
        if (RetryDelay < TimeSpan.Zero || RetryDelay > MaxDelay)
            yield return $"{nameof(RetryDelay)} is {RetryDelay}; it must be 0 to {MaxDelay.TotalHours} hours.";
        if (MaxRetryDelay < TimeSpan.Zero || MaxRetryDelay > MaxDelay)
            yield return $"{nameof(MaxRetryDelay)} is {MaxRetryDelay}; it must be 0 to {MaxDelay.TotalHours} hours.";
        if (AttemptTimeout <= TimeSpan.Zero || AttemptTimeout > MaxDelay)
            yield return $"{nameof(AttemptTimeout)} is {AttemptTimeout}; it must be above 0, to {MaxDelay.TotalHours} hours, or null for none.";
        for (int i = 0; i < _filters.Count; i++)
        {
            if (_filters[i] is null)
                yield return $"{nameof(Filters)}[{i}] is null; each must be a filter.";
        }

        if (DrainTimeout < TimeSpan.Zero || DrainTimeout > MaxDelay)
            yield return $"{nameof(DrainTimeout)} is {DrainTimeout}; it must be 0 to {MaxDelay.TotalHours} hours.";
        if (MaxBatchSize is < 1 or > MaxCapacity)
            yield return $"{nameof(MaxBatchSize)} is {MaxBatchSize}; it must be 1 to {MaxCapacity} events.";
        if (MaxBatchDelay < TimeSpan.Zero || MaxBatchDelay > MaxDelay)
            yield return $"{nameof(MaxBatchDelay)} is {MaxBatchDelay}; it must be 0 to {MaxDelay.TotalHours} hours.";
    }
}

/// <summary>What a handler with <see cref="HandlerOptions.MaxConcurrency"/> above 1 keeps in order.</summary>
public enum HandlerOrder
{
    /// <summary>Events of one topic are handled one at a time and in order; different topics in parallel.</summary>
    PerTopic = 0,

    /// <summary>Nothing: any event may be handled beside any other.</summary>
    None = 1,
}
