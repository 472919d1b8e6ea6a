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

    /// <summary>
    /// How long a batch waits after the store failed on it. It doubles with every further failure, up to <see cref="MaxRetryDelay"/>, and is
    /// jittered by up to a quarter either way from then on. Default 200 ms, range 1 ms to 24 hours.
    /// </summary>
    /// <remarks>When the host stops, and on disposal, the delay is cut, and further ones take no longer than 200 ms.</remarks>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// The longest that a batch waits after the store failed, however often it did; a greater <see cref="RetryDelay"/> is cut to it.
    /// Default 30 s, range 1 ms to 24 hours.
    /// </summary>
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How often the store may fail on a batch, and again on an event that is alone, before an event is given up. Default 0 (for ever, so
    /// that nothing is given up while the process lives), range 0 to 1000.
    /// </summary>
    /// <remarks>
    /// <para>
    /// A batch that failed so often is halved, and its halves are tried once each, in order, and halved again, until the event that the store
    /// refuses is alone. That one is tried as often as this again; then it is given up, which is logged as an error, counted, and published
    /// as <see cref="BusEvent.HandlerFailed"/> to <c>$bus:failures</c>. It is neither stored nor broadcast; what comes after it goes on, in order.
    /// <see cref="RetryDelay"/> lies after every failure.
    /// </para>
    /// <para>
    /// A store that is down refuses everything: then one event after the other is given up, though each only after it failed so often alone.
    /// Allow for the time that a store is down: with the default delays 10 attempts take about a minute and a half.
    /// </para>
    /// </remarks>
    public int MaxAttempts { get; set; }

    /// <summary>
    /// How long disposal goes on storing before it gives up the rest: on the bus's clock and in real time, whichever is over first. When a
    /// host stops it first flushes, which may take up nine tenths of this time. Default 30 s, range 0 to 24 hours.
    /// </summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the store is to be left alone after it failed so often, 1 or more times, on the same events.</summary>
    internal TimeSpan RetryDelayAfter(int failures)
    {
        // Jittered, so that those that failed together do not try again together; but for the first delay, which is short and as it was set.
        double ticks = Math.Min(RetryDelay.Ticks * Math.Pow(2, failures - 1), MaxRetryDelay.Ticks);
        if (failures > 1)
            ticks = Math.Min(ticks * (0.75 + (Random.Shared.NextDouble() / 2)), MaxRetryDelay.Ticks);
        return TimeSpan.FromTicks((long)ticks);
    }

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
        foreach ((string option, TimeSpan delay) in ((string, TimeSpan)[])[(nameof(RetryDelay), RetryDelay), (nameof(MaxRetryDelay), MaxRetryDelay)])
        {
            if (delay < MinRetryDelay || delay > MaxDelay)
            {
                yield return $"{option} is {delay}; it must be {MinRetryDelay.TotalMilliseconds} ms to {MaxDelay.TotalHours} hours: " +
                    "a store that is down must not be called without a pause.";
            }
        }

        if (MaxAttempts is < 0 or > 1000)
            yield return $"{nameof(MaxAttempts)} is {MaxAttempts}; it must be 0 (for ever) to 1000 attempts.";
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
