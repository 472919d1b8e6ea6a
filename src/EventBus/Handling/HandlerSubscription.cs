using EventBus.Delivery;
using EventBus.Handling;

namespace EventBus;

/// <summary>A subscription whose events the bus hands to a handler. The bus keeps it alive until it ends.</summary>
public sealed class HandlerSubscription : Subscription, IAsyncDisposable
{
    private readonly HandlerLoop _loop;

    internal HandlerSubscription(SubscriberChannel channel, HandlerLoop loop)
        : base(channel) => _loop = loop;

    /// <summary>Ends, and never faults, when the subscription has ended and all it held was handled.</summary>
    public override Task Completion => _loop.Completion;

    /// <inheritdoc/>
    public override ValueTask DrainAsync(CancellationToken cancellationToken = default)
    {
        if (_loop.IsCurrent)
        {
            throw new InvalidOperationException(
                $"{nameof(DrainAsync)} was called from inside the handler of {Channel.Profile}, and would wait for itself. Use " +
                $"{nameof(DisposeAsync)}, which does not wait there, or drain from outside.");
        }

        return base.DrainAsync(cancellationToken);
    }

    /// <summary>
    /// Takes no new events and lets the handler finish what is queued within <see cref="HandlerOptions.DrainTimeout"/>; then discards
    /// the rest, cancels the handler's token and waits for the running call. From the handler itself it does not wait.
    /// </summary>
    /// <returns>A task that ends when the handler runs no more.</returns>
    public ValueTask DisposeAsync()
    {
        Task stopped = _loop.DrainAndStopAsync();
        return _loop.IsCurrent ? default : new ValueTask(stopped);
    }

    /// <summary>Stops the handler at once because what it runs on is going away, and says what it left.</summary>
    internal void Abort()
    {
        Dispose();
        _loop.ReportUnhandled();
    }

    private protected override void Dispose(bool disposing)
    {
        _loop.Stop();
        base.Dispose(disposing);
    }
}
