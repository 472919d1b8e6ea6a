namespace EventBus.Delivery;

/// <summary>One <c>await foreach</c> over a subscription, or over its reader. Waiting allocates nothing.</summary>
internal sealed class SubscriptionEnumerator<TEvent> : EventRead<TEvent, bool>, IAsyncEnumerator<Envelope<TEvent>>
    where TEvent : notnull
{
    private readonly Subscription<TEvent>? _leaving;
    private readonly CancellationTokenSource? _linked;
    private readonly CancellationToken _cancellationToken;
    private Envelope<TEvent> _current;

    /// <summary>Begins a loop.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="leaves">Whether leaving the loop unsubscribes.</param>
    /// <param name="first">Ends the loop.</param>
    /// <param name="second">Ends it, too.</param>
    public SubscriptionEnumerator(
        Subscription<TEvent> subscription,
        bool leaves,
        CancellationToken first,
        CancellationToken second = default)
        : base(subscription)
    {
        _leaving = leaves ? subscription : null;
        if (first.CanBeCanceled && second.CanBeCanceled && first != second)
            _linked = CancellationTokenSource.CreateLinkedTokenSource(first, second);
        _cancellationToken = _linked?.Token ?? (first.CanBeCanceled ? first : second);
    }

    public Envelope<TEvent> Current => _current;

    public ValueTask<bool> MoveNextAsync()
    {
        ThrowIfReading();

        // Without this a loop that always finds something to read would never see its token.
        if (_cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<bool>(_cancellationToken);
        return TryRead(out _current) ? new(true) : WaitAsync(_cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        _leaving?.Dispose();
        _linked?.Dispose();
        return default;
    }

    protected override bool Got(in Envelope<TEvent> envelope)
    {
        _current = envelope;
        return true;
    }

    protected override bool Ended() => false;
}
