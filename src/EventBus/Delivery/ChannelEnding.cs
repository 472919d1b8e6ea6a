namespace EventBus.Delivery;

/// <summary>What has to do with a channel's end, and most channels never need: who awaits it, what brings it about, why it came.</summary>
/// <remarks>Guarded by the channel's gate, but for <see cref="ChannelCompletion.Finish"/>.</remarks>
internal sealed class ChannelEnding
{
    private ChannelCompletion _completion;

    public ref ChannelCompletion Completion => ref _completion;

    /// <summary>Set when the channel overflowed under <see cref="OverflowPolicy.Close"/>.</summary>
    public SubscriptionOverflowException? Fault { get; set; }

    /// <summary>Ends the channel when a token is cancelled.</summary>
    public CancellationTokenRegistration Token { get; set; }
}
