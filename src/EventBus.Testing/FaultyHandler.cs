namespace EventBus.Testing;

/// <summary>Wraps a handler, and has calls fail or hang as a test wants it.</summary>
/// <typeparam name="TEvent">Which events.</typeparam>
/// <remarks>
/// <para>
/// <c>bus.Handle&lt;Order&gt;("orders", new FaultyHandler&lt;Order&gt;(real).FailOn(2).HandleAsync)</c>. Every call counts, so a retry is
/// another one: <c>FailOn(1, 2)</c> has an event succeed at its third attempt.
/// </para>
/// <para>Members are safe to use from any number of threads. The wrapped handler is called with no lock held.</para>
/// </remarks>
public sealed class FaultyHandler<TEvent> : IEventHandler<TEvent>
    where TEvent : notnull
{
    private readonly Func<Envelope<TEvent>, CancellationToken, ValueTask>? _handler;

    /// <summary>Guards what follows.</summary>
    private readonly Lock _gate = new();
    private readonly HashSet<int> _failing = [];
    private readonly CountSignal _called = new();
    private TaskCompletionSource? _stall;
    private int _calls;

    /// <summary>Wraps a handler.</summary>
    /// <param name="handler">The handler; null: one that does nothing.</param>
    public FaultyHandler(Func<Envelope<TEvent>, CancellationToken, ValueTask>? handler = null) => _handler = handler;

    /// <summary>How often it was called, failed and hanging calls included.</summary>
    public int Calls
    {
        get
        {
            lock (_gate)
                return _calls;
        }
    }

    /// <summary>Has calls fail with an <see cref="InjectedFaultException"/> instead of reaching the wrapped handler.</summary>
    /// <param name="calls">Which: 1 is the first.</param>
    /// <returns>This handler.</returns>
    /// <exception cref="ArgumentOutOfRangeException">One is below 1.</exception>
    public FaultyHandler<TEvent> FailOn(params ReadOnlySpan<int> calls)
    {
        lock (_gate)
        {
            foreach (int call in calls)
            {
                ArgumentOutOfRangeException.ThrowIfLessThan(call, 1, nameof(calls));
                _failing.Add(call);
            }
        }

        return this;
    }

    /// <summary>Has every call from now on hang until <see cref="Release"/>, or until its token is cancelled.</summary>
    /// <returns>This handler.</returns>
    public FaultyHandler<TEvent> Stall()
    {
        lock (_gate)
            _stall ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return this;
    }

    /// <summary>Lets the calls go on that hang, and those that come.</summary>
    public void Release()
    {
        lock (_gate)
        {
            _stall?.SetResult();
            _stall = null;
        }
    }

    /// <summary>Waits until it was called so often: until the handler is in its n-th call, or has been.</summary>
    /// <param name="count">How often; at least 1.</param>
    /// <param name="timeout">How long to wait, on the system's clock; null: 30 seconds.</param>
    /// <returns>A task that ends then.</returns>
    /// <exception cref="TimeoutException">It was called less often in that time.</exception>
    public async Task WhenCalledAsync(int count = 1, TimeSpan? timeout = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        TimeSpan limit = timeout ?? Timeouts.Default;
        if (!await _called.WaitAsync(count, limit).ConfigureAwait(false))
            throw new TimeoutException($"Call {count} of the handler was waited for {limit}, but it was called {Calls} times.");
    }

    /// <inheritdoc/>
    public async ValueTask HandleAsync(Envelope<TEvent> envelope, CancellationToken cancellationToken)
    {
        int call;
        bool fails;
        Task mayGoOn;
        lock (_gate)
        {
            call = ++_calls;
            fails = _failing.Contains(call);
            mayGoOn = _stall?.Task ?? Task.CompletedTask;
            _called.Set(call);
        }

        await mayGoOn.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (fails)
            throw new InjectedFaultException($"Call {call} of the handler was made to fail. It was for an event on \"{envelope.Topic}\".");
        if (_handler is not null)
            await _handler(envelope, cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>What a <see cref="FaultyHandler{TEvent}"/> throws.</summary>
public sealed class InjectedFaultException : Exception
{
    /// <summary>Creates the exception.</summary>
    public InjectedFaultException()
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was made to fail.</param>
    public InjectedFaultException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was made to fail.</param>
    /// <param name="innerException">What caused it.</param>
    public InjectedFaultException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
