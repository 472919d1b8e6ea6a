namespace EventBus;

/// <summary>
/// How the bus runs a handler: everything a subscription has, and concurrency, retries, batches and draining. Copied and
/// validated when it is used.
/// </summary>
public class HandlerOptions : SubscriptionOptions
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromHours(24);

    /// <summary>How many events are handled at once. Default 1, which keeps order; range 1 to 1,024. Batch handlers: only 1.</summary>
    public int MaxConcurrency { get; set; } = 1;

    /// <summary>
    /// What is kept in order when <see cref="MaxConcurrency"/> is above 1. Default <see cref="HandlerOrder.PerTopic"/>.
    /// </summary>
    public HandlerOrder Order { get; set; } = HandlerOrder.PerTopic;

    /// <summary>How often an event is tried, the first time included. Default 1 (no retry), range 1 to 100.</summary>
    public int MaxAttempts { get; set; } = 1;

    /// <summary>
    /// The delay before the second attempt; it doubles with every further one and is jittered by up to a quarter either way.
    /// Default 200 ms, range 0 to 24 hours.
    /// </summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// How long a stopping handler may go on with what is queued before its token is cancelled. Default 30 s, range 0 to 24 hours.
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
