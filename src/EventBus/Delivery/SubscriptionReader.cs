using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace EventBus.Delivery;

/// <summary>The channel reader that users see. Holds the subscription, so that whoever holds the reader holds it, too.</summary>
internal sealed class SubscriptionReader<TEvent> : ChannelReader<Envelope<TEvent>>
    where TEvent : notnull
{
    private readonly Subscription<TEvent> _subscription;
    private readonly SubscriberChannel<TEvent> _channel;

    public SubscriptionReader(Subscription<TEvent> subscription, SubscriberChannel<TEvent> channel)
    {
        _subscription = subscription;
        _channel = channel;
    }

    public override Task Completion => _channel.ReaderCompletion;

    public override bool CanCount => true;

    public override bool CanPeek => true;

    public override int Count => _channel.Count;

    public override bool TryRead([MaybeNullWhen(false)] out Envelope<TEvent> item) => _channel.TryRead(out item);

    public override bool TryPeek([MaybeNullWhen(false)] out Envelope<TEvent> item) => _channel.TryPeek(out item);

    public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) =>
        _channel.WaitToReadAsync(_subscription, cancellationToken);
}
