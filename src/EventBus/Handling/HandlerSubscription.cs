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

    /// <summary>
    /// Takes no new events, and waits until what is queued was handled. What waits for the time of its next attempt, or for more events in
    /// its batch, goes on at once, as nothing more comes.
    /// </summary>
    /// <param name="cancellationToken">Cancels the waiting; the subscription takes no new events all the same.</param>
    /// <returns>A task that ends when the handler runs no more.</returns>
    /// <remarks>
    /// A call counts as inside for all that it has started, until it has ended: work that it does not wait for can drain the handler after that.
    /// </remarks>
    /// <exception cref="InvalidOperationException">Called from inside the handler that is to be drained: it would wait for itself.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public override ValueTask DrainAsync(CancellationToken cancellationToken = default)
    {
        if (_loop.IsCurrent)
        {
            throw new InvalidOperationException(
                $"{nameof(DrainAsync)} was called from inside the handler of {Channel.Profile}, and would wait for itself. Use " +
                $"{nameof(DisposeAsync)}, which does not wait there, or drain from outside.");
        }

        ValueTask drained = base.DrainAsync(cancellationToken);
        _loop.Hurry();
        return drained;
    }

    /// <summary>
    /// Takes no new events and lets the handler finish what is queued within <see cref="HandlerOptions.DrainTimeout"/>; then discards
    /// the rest, cancels the handler's token and waits for the running call. From the handler itself it does not wait.
    /// </summary>
    /// <returns>A task that ends when the handler runs no more.</returns>
    /// <remarks>
    /// <para>
    /// No retry is delayed and no batch waits for more any longer. The time-out is kept on the bus's clock and in real time, whichever is over
    /// first, so that a clock that stands still does not hold it up. A call that has not ended 5 seconds after its token was cancelled
    /// is named in the log, and still waited for.
    /// </para>
    /// <para>
    /// From the handler itself: from a call that runs, and from what it has started, until it has ended.
    /// </para>
    /// </remarks>
    public ValueTask DisposeAsync()
    {
        Task stopped = _loop.DisposeAsync();
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
