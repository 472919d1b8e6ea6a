namespace EventBus;

/// <summary>
/// What a subscription's full channel does with one more event. The first four have the names, values and meanings of
/// <see cref="System.Threading.Channels.BoundedChannelFullMode"/>.
/// </summary>
public enum OverflowPolicy
{
    /// <summary>
    /// <c>PublishAsync</c> waits for room up to <see cref="SubscriptionOptions.WaitTimeout"/>; <c>Publish</c>, which never
    /// waits, loses the published event, counted.
    /// </summary>
    Wait = 0,

    /// <summary>The newest queued event is lost to make room for the published one.</summary>
    DropNewest = 1,

    /// <summary>The oldest queued event is lost to make room for the published one.</summary>
    DropOldest = 2,

    /// <summary>The published event is lost.</summary>
    DropWrite = 3,

    /// <summary>
    /// The published event is lost and the subscription ends: its reader gets what was queued, then a
    /// <see cref="SubscriptionOverflowException"/>. For subscribers that would rather start over than have a gap.
    /// </summary>
    Close = 4,
}
