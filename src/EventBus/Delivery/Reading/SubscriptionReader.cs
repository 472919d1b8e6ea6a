using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace EventBus.Delivery;

/// <summary>The channel reader that users see. Holds the subscription, so that whoever holds the reader holds it, too.</summary>
internal sealed class SubscriptionReader<TEvent> : ChannelReader<Envelope<TEvent>>
    where TEvent : notnull
{
    private readonly Subscription<TEvent> _subscription;

    /// <summary>A read to use again; exchanged without a lock.</summary>
    private SingleRead? _spare;

    public SubscriptionReader(Subscription<TEvent> subscription) => _subscription = subscription;

    private SubscriberChannel<TEvent> Channel => _subscription.TypedChannel;

    public override Task Completion => Channel.ReaderCompletion;

    public override bool CanCount => true;

    public override bool CanPeek => true;

    public override int Count => Channel.Count;

    public override bool TryRead([MaybeNullWhen(false)] out Envelope<TEvent> item) => Channel.TryRead(out item);

    public override bool TryPeek([MaybeNullWhen(false)] out Envelope<TEvent> item) => Channel.TryPeek(out item);

    public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) =>
        Channel.WaitToReadAsync(_subscription, takes: false, cancellationToken);

    public override ValueTask<Envelope<TEvent>> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<Envelope<TEvent>>(cancellationToken);
        return Channel.TryRead(out Envelope<TEvent> envelope)
            ? new(envelope)
            : (Interlocked.Exchange(ref _spare, null) ?? new SingleRead(this)).BeginAsync(cancellationToken);
    }

    public override IAsyncEnumerable<Envelope<TEvent>> ReadAllAsync(CancellationToken cancellationToken = default) =>
        new Stream(_subscription, cancellationToken);

    /// <summary>A <see cref="ReadAsync"/> that has to wait.</summary>
    private sealed class SingleRead(SubscriptionReader<TEvent> reader) : EventRead<TEvent, Envelope<TEvent>>(reader._subscription)
    {
        public ValueTask<Envelope<TEvent>> BeginAsync(CancellationToken cancellationToken) => WaitAsync(cancellationToken);

        protected override Envelope<TEvent> Got(in Envelope<TEvent> envelope) => envelope;

        protected override Envelope<TEvent> Ended() => throw new ChannelClosedException();

        protected override void Done() => Volatile.Write(ref reader._spare, this);
    }

    /// <summary>A loop over the reader; unlike one over the subscription, leaving it does not unsubscribe.</summary>
    private sealed class Stream(Subscription<TEvent> subscription, CancellationToken ofReader)
        : IAsyncEnumerable<Envelope<TEvent>>
    {
        public IAsyncEnumerator<Envelope<TEvent>> GetAsyncEnumerator(CancellationToken cancellationToken = default) =>
            new SubscriptionEnumerator<TEvent>(subscription, leaves: false, ofReader, cancellationToken);
    }
}
