namespace EventBus;

/// <summary>What became of one publish, in this process.</summary>
/// <param name="Matched">The live subscriptions the event was for, by topic and by type.</param>
/// <param name="Dropped">
/// The events that this call lost to full channels: the published one where it was refused, an older one where that was
/// evicted for it. Events discarded because their subscriber left are not counted.
/// </param>
public readonly record struct PublishResult(int Matched, int Dropped);
