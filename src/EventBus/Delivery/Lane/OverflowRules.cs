namespace EventBus.Delivery;

/// <summary>What a full channel does with one more event: one rule for each policy.</summary>
/// <remarks>
/// To add a policy, add it to <see cref="OverflowPolicy"/>, and its rule here. A rule is called under the channel's gate, with an event that has
/// its ordinal; it says what becomes of it by one of the channel's steps: it queues it, in the place of another one, or loses it, or lets it
/// wait. Each event that is lost is to be lost once.
/// </remarks>
internal static class OverflowRules
{
    /// <summary>Deals with an event for which there is no room.</summary>
    public static void Apply<TEvent>(ChannelIntake<TEvent> channel, in TEvent @event, long ordinal, ref FanOut fanOut)
        where TEvent : notnull
    {
        switch (channel.Profile.Overflow)
        {
            case OverflowPolicy.Wait when channel.LockedTryWait(in @event, ordinal, ref fanOut):
                return;

            // A handler may hold back all there is, and leave nothing to drop.
            case OverflowPolicy.DropOldest when channel.LockedHasQueued:
                channel.LockedDropFirst(ref fanOut);
                channel.LockedQueue(in @event, ordinal, ref fanOut);
                return;

            case OverflowPolicy.DropNewest when channel.LockedHasQueued:
                channel.LockedDropLast(ref fanOut);
                channel.LockedQueue(in @event, ordinal, ref fanOut);
                return;

            case OverflowPolicy.Close:
                // First what may find no memory: the loss is counted once, here or by whoever catches that.
                channel.LockedOverflow(ref fanOut);
                break;
        }

        channel.LockedLoseOffered(ref fanOut);
    }
}
