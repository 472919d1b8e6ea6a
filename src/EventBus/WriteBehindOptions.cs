namespace EventBus;

/// <summary>How a <see cref="WriteBehindPublisher{TEvent}"/> buffers and drains. Copied and validated when it is used.</summary>
public class WriteBehindOptions
{
    private const int MaxEvents = 1_048_576;
    private static readonly TimeSpan MaxDelay = TimeSpan.FromHours(24);
    private static readonly TimeSpan MinRetryDelay = TimeSpan.FromMilliseconds(1);

    /// <summary>
    /// The longest that an event waits in the buffer before the store is called for it. Default 100 ms, range 0 (the store is
    /// called at once) to 24 hours.
    /// </summary>
    public TimeSpan FlushInterval { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// The most events the store is handed at once; so many flush before the interval is over. Default 1000, range 1 to 1,048,576.
    /// </summary>
    public int MaxBatchSize { get; set; } = 1000;

    /// <summary>
    /// The most events held in memory, the batch that is being stored included. Default 100,000, range 1 to 1,048,576. The buffer
    /// grows as it fills.
    /// </summary>
    public int Capacity { get; set; } = 100_000;

    /// <summary>How long a batch waits after the store failed. Default 200 ms, range 1 ms to 24 hours.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long disposal goes on storing before it gives up the rest. Default 30 s, range 0 to 24 hours.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>A copy that later changes of this instance do not reach.</summary>
    internal WriteBehindOptions Copy() => (WriteBehindOptions)MemberwiseClone();

    /// <summary>What is wrong with these options, each sentence naming the option, its value and its range.</summary>
    internal IEnumerable<string> Failures()
    {
        if (FlushInterval < TimeSpan.Zero || FlushInterval > MaxDelay)
            yield return $"{nameof(FlushInterval)} is {FlushInterval}; it must be 0 to {MaxDelay.TotalHours} hours.";
        if (MaxBatchSize is < 1 or > MaxEvents)
            yield return $"{nameof(MaxBatchSize)} is {MaxBatchSize}; it must be 1 to {MaxEvents} events.";
        if (Capacity is < 1 or > MaxEvents)
            yield return $"{nameof(Capacity)} is {Capacity}; it must be 1 to {MaxEvents} events.";
        if (RetryDelay < MinRetryDelay || RetryDelay > MaxDelay)
        {
            yield return $"{nameof(RetryDelay)} is {RetryDelay}; it must be {MinRetryDelay.TotalMilliseconds} ms to {MaxDelay.TotalHours} hours: " +
                "a store that is down must not be called without a pause.";
        }

        if (DrainTimeout < TimeSpan.Zero || DrainTimeout > MaxDelay)
            yield return $"{nameof(DrainTimeout)} is {DrainTimeout}; it must be 0 to {MaxDelay.TotalHours} hours.";
    }

    /// <summary>Throws with everything that is wrong.</summary>
    internal void Validate(string parameterName)
    {
        string[] failures = [.. Failures()];
        if (failures.Length > 0)
            throw new ArgumentException(string.Join(" ", failures), parameterName);
    }
}
