namespace EventBus;

/// <summary>
/// Counts over the whole bus since it was created; its own <c>$bus</c> traffic is left out. At rest everything matched (replayed
/// events included) is delivered, dropped, discarded or queued.
/// </summary>
public sealed record EventBusStatistics
{
    /// <summary>Exact topics that have subscribers.</summary>
    public int Topics { get; init; }

    /// <summary>Live subscriptions.</summary>
    public int Subscriptions { get; init; }

    /// <summary>Publish calls accepted, whether or not anyone was listening.</summary>
    public long Published { get; init; }

    /// <summary>
    /// Those of <see cref="Published"/> that matched no subscription, whether or not history kept the event: the commonest sign of a
    /// mistake. A publish whose only subscription was its <c>except</c> counts, one that was refused does not.
    /// </summary>
    public long Unmatched { get; init; }

    /// <summary>Events taken out of a channel by its consumer.</summary>
    public long Delivered { get; init; }

    /// <summary>Events lost to full channels.</summary>
    public long Dropped { get; init; }

    /// <summary>Events still queued, or waited for, when their subscriber left.</summary>
    public long Discarded { get; init; }

    /// <summary>Events waiting to be read now, those of subscriptions that ended unread included.</summary>
    public long Queued { get; init; }

    /// <summary>How full the fullest channel is, 0 to 1, unread replay not counted.</summary>
    public double HighestFill { get; init; }

    /// <summary>
    /// Events (or batches) that a handler failed to handle, or a write-behind's store refused, after their last attempt; and handlers that
    /// ended by overflow.
    /// </summary>
    public long HandlerFailures { get; init; }

    /// <summary>Publish calls refused because their topic had been completed.</summary>
    public long RefusedAfterCompletion { get; init; }

    /// <summary>Topics that have history now, completed ones included.</summary>
    public int HistoryTopics { get; init; }

    /// <summary>Events that history holds now.</summary>
    public long HistoryEvents { get; init; }
}
