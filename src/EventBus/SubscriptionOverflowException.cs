namespace EventBus;

/// <summary>
/// Thrown to the reader of a subscription with <see cref="OverflowPolicy.Close"/> after the last event that was queued when
/// its channel overflowed.
/// </summary>
public sealed class SubscriptionOverflowException : Exception
{
    /// <summary>Creates an exception with a general message.</summary>
    public SubscriptionOverflowException()
        : base("The subscription's channel overflowed and was closed.")
    {
    }

    /// <summary>Creates an exception with a message.</summary>
    /// <param name="message">The message.</param>
    public SubscriptionOverflowException(string message)
        : base(message)
    {
    }

    /// <summary>Creates an exception with a message and a cause.</summary>
    /// <param name="message">The message.</param>
    /// <param name="innerException">The cause.</param>
    public SubscriptionOverflowException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Where the event was published that closed the channel.</summary>
    internal string Topic { get; init; } = "";
}
