namespace EventBus.Delivery;

/// <summary>How far a channel's life has come.</summary>
internal enum ChannelState : byte
{
    /// <summary>It takes events.</summary>
    Open,

    /// <summary>It takes no more, but holds some.</summary>
    Ended,

    /// <summary>It has ended and is empty.</summary>
    Finished,
}

/// <summary>Why a channel ends.</summary>
internal enum ChannelEnd
{
    /// <summary>No more events come; what is queued can be read.</summary>
    Completed,

    /// <summary>The subscriber left: what is queued is discarded.</summary>
    Left,
}

/// <summary>What became of a channel's events.</summary>
internal record struct ChannelCounts(long Delivered, long Dropped, long Discarded)
{
    public readonly ChannelCounts Plus(in ChannelCounts other) =>
        new(Delivered + other.Delivered, Dropped + other.Dropped, Discarded + other.Discarded);

    public readonly ChannelCounts Minus(in ChannelCounts other) =>
        new(Delivered - other.Delivered, Dropped - other.Dropped, Discarded - other.Discarded);
}

/// <summary>A channel at one moment.</summary>
/// <param name="State">How far its life has come.</param>
/// <param name="Count">What waits to be read, all included.</param>
/// <param name="Queued">What of it is in the bounded queue, without replay and the bus's own traffic.</param>
/// <param name="OwnQueued">What of it is the bus's own traffic.</param>
/// <param name="Counts">What became of all its events.</param>
/// <param name="OwnCounts">The part that is the bus's own traffic.</param>
internal readonly record struct ChannelSnapshot(
    ChannelState State, int Count, int Queued, int OwnQueued, ChannelCounts Counts, ChannelCounts OwnCounts);
