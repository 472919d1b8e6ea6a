namespace EventBus.Hosting;

/// <summary>
/// What of a handler's options can be written in configuration: bound to this, it is set there. The generated binding refuses types that have
/// delegates and filters among their properties, and does not know <see cref="Replay"/>.
/// </summary>
internal sealed class HandlerSettings(HandlerOptions options)
{
    /// <summary>All keys that can be written.</summary>
    public static readonly string[] Keys = [.. typeof(HandlerSettings).GetProperties().Select(p => p.Name), nameof(HandlerOptions.Replay)];

    public int Capacity { get => options.Capacity; set => options.Capacity = value; }

    public OverflowPolicy Overflow { get => options.Overflow; set => options.Overflow = value; }

    public TimeSpan WaitTimeout { get => options.WaitTimeout; set => options.WaitTimeout = value; }

    public string? Name { get => options.Name; set => options.Name = value; }

    public int MaxConcurrency { get => options.MaxConcurrency; set => options.MaxConcurrency = value; }

    public HandlerOrder Order { get => options.Order; set => options.Order = value; }

    public int MaxAttempts { get => options.MaxAttempts; set => options.MaxAttempts = value; }

    public TimeSpan RetryDelay { get => options.RetryDelay; set => options.RetryDelay = value; }

    public TimeSpan MaxRetryDelay { get => options.MaxRetryDelay; set => options.MaxRetryDelay = value; }

    public TimeSpan? AttemptTimeout { get => options.AttemptTimeout; set => options.AttemptTimeout = value; }

    public TimeSpan DrainTimeout { get => options.DrainTimeout; set => options.DrainTimeout = value; }

    public int MaxBatchSize { get => options.MaxBatchSize; set => options.MaxBatchSize = value; }

    public TimeSpan MaxBatchDelay { get => options.MaxBatchDelay; set => options.MaxBatchDelay = value; }
}
