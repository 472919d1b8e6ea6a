using EventBus.Delivery;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Handling;

/// <summary>The way of one attempt at an event or a batch: into its scope, within its time, through the filters, to the handler.</summary>
/// <remarks>Immutable. What is not wanted is not on the way: without time-out, scope and filters it leads straight to the handler.</remarks>
internal sealed class AttemptPath<TEvent>
    where TEvent : notnull
{
    private readonly HandlerCall<TEvent> _call;
    private readonly AttemptScopes? _scopes;
    private readonly IHandlerFilter[] _filters;
    private readonly TimeSpan? _timeout;
    private readonly TimeProvider _timeProvider;

    /// <summary>What filters know the handler by: the name it was given, or its type or method.</summary>
    private readonly string _name;

    public AttemptPath(HandlerCall<TEvent> call, HandlerOptions options, TimeProvider timeProvider)
    {
        _call = call;
        _scopes = call.NeedsServices || call.Scopes is { HasFilters: true } ? call.Scopes : null;
        _filters = [.. options.Filters];
        _timeout = options.AttemptTimeout;
        _timeProvider = timeProvider;
        _name = options.Name ?? call.Name;
    }

    /// <summary>Makes an attempt.</summary>
    /// <param name="first">The event, or the first of the batch.</param>
    /// <param name="batch">The batch; null for a single event.</param>
    /// <param name="attempt">Its number, from 1.</param>
    /// <param name="stopping">Cancelled when the handler must stop.</param>
    public ValueTask RunAsync(in Taken<TEvent> first, Envelope<TEvent>[]? batch, int attempt, CancellationToken stopping) =>
        _timeout is { } timeout
            ? RunWithinAsync(timeout, first, batch, attempt, stopping)
            : RunAsync(in first, batch, attempt, services: null, stopping);

    /// <summary>Whether a handler threw because it was told to stop, which is no failure: it gave up, or found disposed what it needs.</summary>
    public static bool IsStop(Exception exception, CancellationToken stopping) =>
        stopping.IsCancellationRequested && exception is OperationCanceledException or ObjectDisposedException;

    /// <exception cref="TimeoutException">The time is over, whatever became of the attempt.</exception>
    private async ValueTask RunWithinAsync(
        TimeSpan timeout, Taken<TEvent> first, Envelope<TEvent>[]? batch, int attempt, CancellationToken stopping)
    {
        using AttemptLimit limit = new(timeout, _timeProvider, stopping);
        Exception? failure = null;
        try
        {
            await RunAsync(in first, batch, attempt, services: null, limit.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (limit.IsOver && !IsStop(exception, stopping))
        {
            failure = exception;
        }

        if (limit.IsOver)
            throw new TimeoutException($"Attempt {attempt} of the handler {_call.Name} took longer than its time-out of {timeout}.", failure);
    }

    private ValueTask RunAsync(
        in Taken<TEvent> first, Envelope<TEvent>[]? batch, int attempt, IServiceProvider? services, CancellationToken cancellationToken)
    {
        if (services is null && _scopes is not null)
            return RunInScopeAsync(first, batch, attempt, cancellationToken);
        return _filters.Length == 0 && _scopes is not { HasFilters: true }
            ? _call.InvokeAsync(services, first.Envelope, batch, cancellationToken)
            : RunFilteredAsync(first, batch, attempt, services, cancellationToken);
    }

    private async ValueTask RunInScopeAsync(Taken<TEvent> first, Envelope<TEvent>[]? batch, int attempt, CancellationToken cancellationToken)
    {
        AsyncServiceScope scope = _scopes!.Begin();
        await using (scope.ConfigureAwait(false))
            await RunAsync(in first, batch, attempt, scope.ServiceProvider, cancellationToken).ConfigureAwait(false);
    }

    private ValueTask RunFilteredAsync(
        Taken<TEvent> first, Envelope<TEvent>[]? batch, int attempt, IServiceProvider? services, CancellationToken cancellationToken)
    {
        HandlerContext context = new(
            _name,
            first.Envelope.Topic,
            first.EventType,
            () => batch is null ? [first.Envelope.Event] : Array.ConvertAll(batch, e => (object)e.Event))
        {
            Attempt = attempt,
            Sequence = first.Envelope.Sequence,
            PublishedAt = first.Envelope.PublishedAt,
            Services = services,
        };
        IEnumerable<IHandlerFilter> filters = services is null ? _filters : [.. _scopes!.FiltersFrom(services), .. _filters];

        // From the inside out; taken from the scope in the order of registration.
        Func<CancellationToken, ValueTask> next = token => _call.InvokeAsync(services, first.Envelope, batch, token);
        foreach (IHandlerFilter filter in filters.Reverse())
        {
            Func<CancellationToken, ValueTask> inner = next;
            next = token => filter.InvokeAsync(context, inner, token);
        }

        return next(cancellationToken);
    }
}
