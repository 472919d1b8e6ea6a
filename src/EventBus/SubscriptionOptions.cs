namespace EventBus;

/// <summary>How one subscription's channel behaves. Copied and validated when it is used; later changes have no effect.</summary>
public class SubscriptionOptions
{
    /// <summary>The largest <see cref="Capacity"/>.</summary>
    internal const int MaxCapacity = 1_048_576;

    /// <summary>The longest <see cref="WaitTimeout"/>.</summary>
    internal static readonly TimeSpan MaxWaitTimeout = TimeSpan.FromHours(24);

    /// <summary>
    /// How many events may wait to be read. Default 1024, range 1 to 1,048,576. The channel's buffer starts small and grows
    /// as it fills, so a generous capacity costs nothing until it is needed.
    /// </summary>
    public int Capacity { get; set; } = 1024;

    /// <summary>What happens to an event when the channel is full. Default <see cref="OverflowPolicy.Wait"/>.</summary>
    public OverflowPolicy Overflow { get; set; } = OverflowPolicy.Wait;

    /// <summary>
    /// How long <c>PublishAsync</c> waits for this subscription under <see cref="OverflowPolicy.Wait"/>. Default 1 second,
    /// range 0 (never wait) to 24 hours; never infinite, because a handler may wait for itself.
    /// </summary>
    public TimeSpan WaitTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How much history comes before live events. Default <see cref="Replay.None"/>.</summary>
    public Replay Replay { get; set; } = Replay.None;

    /// <summary>A name for logs, metrics and <see cref="SubscriptionInfo"/>, by which configuration finds a handler too. Default null.</summary>
    public string? Name { get; set; }

    /// <summary>A copy that later changes of this instance do not reach.</summary>
    internal virtual SubscriptionOptions Copy() => (SubscriptionOptions)MemberwiseClone();

    /// <summary>What is wrong with these options, each sentence naming the option, its value and its range.</summary>
    internal virtual IEnumerable<string> Failures()
    {
        if (Capacity is < 1 or > MaxCapacity)
            yield return $"{nameof(Capacity)} is {Capacity}; it must be 1 to {MaxCapacity} events.";
        if (!Enum.IsDefined(Overflow))
            yield return $"{nameof(Overflow)} is {(int)Overflow}; it must be one of {string.Join(", ", Enum.GetNames<OverflowPolicy>())}.";
        if (WaitTimeout < TimeSpan.Zero || WaitTimeout > MaxWaitTimeout)
        {
            yield return $"{nameof(WaitTimeout)} is {WaitTimeout}; it must be 0 to {MaxWaitTimeout.TotalHours} hours, never infinite: " +
                "a publisher could wait for itself.";
        }
    }

    /// <summary>Throws for the first thing that is wrong.</summary>
    internal void Validate(string parameterName)
    {
        foreach (string failure in Failures())
            throw new ArgumentOutOfRangeException(parameterName, failure);
    }
}
