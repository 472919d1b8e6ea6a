using System.Runtime.CompilerServices;
using System.Threading.Channels;
using EventBus.Delivery;

namespace EventBus;

/// <summary>A subscription that is read by its owner: <c>await foreach (var (topic, e) in subscription)</c>.</summary>
/// <typeparam name="TEvent">The events it gets.</typeparam>
/// <remarks>
/// Keep it for as long as you read. One that nothing refers to any more is reclaimed by the garbage collector: unsubscribed,
/// with a warning that names where it was made. A held <see cref="Reader"/>, a waiting reader, a running enumeration and an attached
/// observer refer to it; its <see cref="Subscription.Completion"/> and the token passed to <c>Subscribe</c> do not. Not
/// <see cref="IAsyncDisposable"/>, as <c>ConfigureAwait</c> would then be ambiguous with that of <see cref="IAsyncEnumerable{T}"/>.
/// </remarks>
public sealed class Subscription<TEvent> : Subscription, IAsyncEnumerable<Envelope<TEvent>>
    where TEvent : notnull
{
    private SubscriptionReader<TEvent>? _reader;
    private SubscriptionObservable<TEvent>? _observable;

    internal Subscription(SubscriberChannel<TEvent> channel)
        : base(channel)
    {
    }

#pragma warning disable MA0055 // What is not reachable any more is found by a finalizer or not at all.
    /// <summary>Reclaims a subscription that was never disposed.</summary>
    ~Subscription() => Dispose(disposing: false);
#pragma warning restore MA0055

    // Not checked: it is made with one, and every event that is read comes by here.
    internal SubscriberChannel<TEvent> TypedChannel => Unsafe.As<SubscriberChannel<TEvent>>(Channel);

    /// <summary>
    /// The channel's reader. Readers of one subscription compete: each event goes to one of them. It keeps the subscription alive.
    /// </summary>
    public ChannelReader<Envelope<TEvent>> Reader =>
        _reader ?? Interlocked.CompareExchange(ref _reader, new SubscriptionReader<TEvent>(this), null) ?? _reader;

    /// <summary>Reads until the subscription ends. Leaving the loop, by whatever way, disposes the subscription.</summary>
    /// <param name="cancellationToken">Ends the loop with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>The events.</returns>
    /// <exception cref="SubscriptionOverflowException">The channel overflowed under <see cref="OverflowPolicy.Close"/>.</exception>
    public IAsyncEnumerator<Envelope<TEvent>> GetAsyncEnumerator(CancellationToken cancellationToken = default) =>
        new SubscriptionEnumerator<TEvent>(this, leaves: true, cancellationToken);

    /// <summary>
    /// The events as an observable. Several observers each get every event from when they were attached; while there is one, the
    /// observable is this subscription's reader. Detaching the last stops the reading; it does not dispose the subscription.
    /// </summary>
    /// <returns>The observable, always the same one.</returns>
    /// <remarks>
    /// Observers are called one after the other, never two at once. An overflow under <see cref="OverflowPolicy.Close"/> is their
    /// error, every other end their completion. One that throws is detached, and the exception logged.
    /// </remarks>
    public IObservable<Envelope<TEvent>> AsObservable() =>
        _observable ?? Interlocked.CompareExchange(ref _observable, new SubscriptionObservable<TEvent>(this), null) ?? _observable;

    private protected override void Dispose(bool disposing)
    {
        if (disposing)
            base.Dispose(disposing);
        else
            Channel.Owner.Abandoned(Channel);
    }
}
