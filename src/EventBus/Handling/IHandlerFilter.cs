namespace EventBus;

/// <summary>
/// Code around every attempt of handlers at an event or a batch, of whatever type: timing, resilience, a transaction, a tenant.
/// Registered for all handlers of a bus by <c>AddFilter&lt;TFilter&gt;()</c>, for one by <see cref="HandlerOptions.Filters"/>.
/// </summary>
/// <remarks>
/// Filters nest in order of registration, those of the bus around those of the handler: the first one sees the attempt first and its
/// result last. What a filter throws is what the handler threw: it is retried as configured, then logged, counted and published
/// to <c>$bus:failures</c>. An instance in <see cref="HandlerOptions.Filters"/> is called by many threads at once when its handler
/// handles several events at once.
/// </remarks>
public interface IHandlerFilter
{
    /// <summary>Runs one attempt.</summary>
    /// <param name="context">What is handled, and by whom.</param>
    /// <param name="next">
    /// Goes on: the next filter, and in the end the handler, with the token it is given. Not called, the event counts as handled; called
    /// again, the handler runs again. Await it before returning.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancelled when the handler must stop, and when the attempt has taken <see cref="HandlerOptions.AttemptTimeout"/>.
    /// </param>
    /// <returns>A task that ends when the attempt is over.</returns>
    ValueTask InvokeAsync(HandlerContext context, Func<CancellationToken, ValueTask> next, CancellationToken cancellationToken);
}
