namespace EventBus.Delivery;

/// <summary>One <c>await foreach</c> over a subscription; waiting allocates nothing, and leaving it unsubscribes.</summary>
internal sealed class SubscriptionEnumerator<TEvent> : IAsyncEnumerator<Envelope<TEvent>>
    where TEvent : notnull
{
    private readonly Subscription<TEvent> _subscription;
    private readonly SubscriberChannel<TEvent> _channel;
    private readonly CancellationToken _cancellationToken;
    private Envelope<TEvent> _current;

    public SubscriptionEnumerator(Subscription<TEvent> subscription, SubscriberChannel<TEvent> channel, CancellationToken cancellationToken)
    {
        _subscription = subscription;
        _channel = channel;
        _cancellationToken = cancellationToken;
    }

    public Envelope<TEvent> Current => _current;

    public ValueTask<bool> MoveNextAsync()
    {
        // Without this a loop that always finds something to read would never see its token.
        if (_cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<bool>(_cancellationToken);
        return _channel.TryRead(out _current) ? new(true) : WaitAsync();
    }

    public ValueTask DisposeAsync()
    {
        _subscription.Dispose();
        return default;
    }

    [System.Runtime.CompilerServices.AsyncMethodBuilder(typeof(System.Runtime.CompilerServices.PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> WaitAsync()
    {
        while (await _channel.WaitToReadAsync(_subscription, _cancellationToken).ConfigureAwait(false))
        {
            if (_channel.TryRead(out _current))
                return true;
        }

        return false;
    }
}
