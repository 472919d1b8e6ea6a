using System.Runtime.CompilerServices;

namespace EventBus.Testing;

/// <summary>
/// Keeps every event that reaches it, for a test to look at and to wait for. Made by <c>bus.Record&lt;T&gt;("agent:#")</c>.
/// </summary>
/// <typeparam name="TEvent">Which events: those that can be assigned to it.</typeparam>
/// <remarks>
/// <para>
/// It is a subscription like any other, so it counts as matched where events are counted, but it is never full and loses nothing.
/// An event is here as soon as the call that published it returned: looking needs no waiting. After
/// <see cref="EventBusTestExtensions.WhenIdleAsync"/> everything that handlers published in consequence is here as well.
/// </para>
/// <para>Members are safe to use from any number of threads. Conditions are evaluated with no lock held.</para>
/// </remarks>
public sealed class EventRecorder<TEvent> : IAsyncDisposable, IDisposable
    where TEvent : notnull
{
    /// <summary>
    /// Guards all that changes. Events are read under it, by whoever looks or is woken first, so that their order is kept.
    /// </summary>
    private readonly Lock _gate = new();
    private readonly List<Envelope<TEvent>> _envelopes = [];
    private readonly Subscription<TEvent> _subscription;
    private readonly Task _reading;

    /// <summary>Ends when there is more than there was, or when nothing more will come; then it is replaced.</summary>
    private TaskCompletionSource _changed = NewSignal();

    /// <summary>Ends when reading may go on; null while it may.</summary>
    private TaskCompletionSource? _stall;
    private bool _hasEnded;

    internal EventRecorder(Subscription<TEvent> subscription)
    {
        _subscription = subscription;
        _reading = ReadAsync();
    }

    /// <summary>The subscription behind it: its counters, and for <c>except</c> when publishing.</summary>
    public Subscription Subscription => _subscription;

    /// <summary>What was recorded so far, in the order of delivery: a snapshot.</summary>
    public IReadOnlyList<Envelope<TEvent>> Envelopes
    {
        get
        {
            lock (_gate)
            {
                LockedRead();
                return [.. _envelopes];
            }
        }
    }

    /// <summary>The events of <see cref="Envelopes"/> without their metadata: a snapshot.</summary>
    public IReadOnlyList<TEvent> Events => [.. Envelopes.Select(e => e.Event)];

    /// <summary>Waits for an event that meets a condition; one that was recorded before will do.</summary>
    /// <param name="predicate">The condition. Asked once for each event, in order, until it is met.</param>
    /// <param name="timeout">How long to wait, on the system's clock; null: 30 seconds, as it only guards against hanging.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <param name="condition">The condition as it is written, for the message.</param>
    /// <returns>The first event that meets it.</returns>
    /// <exception cref="TimeoutException">None came in time; the message lists what did arrive.</exception>
    /// <exception cref="InvalidOperationException">None came, and none will: the recorder, its topic or the bus has ended.</exception>
    public async Task<Envelope<TEvent>> WaitForAsync(
        Func<Envelope<TEvent>, bool> predicate,
        TimeSpan? timeout = null,
        CancellationToken cancellationToken = default,
        [CallerArgumentExpression(nameof(predicate))] string condition = "")
    {
        ArgumentNullException.ThrowIfNull(predicate);
        TimeSpan limit = timeout ?? Timeouts.Default;
        using CancellationTokenSource expiry = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        expiry.CancelAfter(limit);
        string expected = $"an event with {condition}";
        int seen = 0;
        while (true)
        {
            Envelope<TEvent>[] next;
            try
            {
                next = await ReadAfterAsync(seen, expected, expiry.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException(Describe($"Waited {limit} for {expected}"), exception);
            }

            foreach (Envelope<TEvent> envelope in next)
            {
                if (predicate(envelope))
                    return envelope;
            }

            seen += next.Length;
        }
    }

    /// <summary>Waits until so many events are recorded.</summary>
    /// <param name="count">How many, those recorded before included; 0 or more.</param>
    /// <param name="timeout">How long to wait, on the system's clock; null: 30 seconds, as it only guards against hanging.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <returns>All that is recorded: that many or more.</returns>
    /// <exception cref="TimeoutException">Fewer came in time; the message lists them.</exception>
    /// <exception cref="InvalidOperationException">Fewer came, and no more will: the recorder, its topic or the bus has ended.</exception>
    public async Task<IReadOnlyList<Envelope<TEvent>>> WaitForCountAsync(
        int count, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        int seen = 0;
        if (count > 0)
            await WaitForAsync(_ => ++seen == count, timeout, cancellationToken, $"number {count}").ConfigureAwait(false);
        return Envelopes;
    }

    /// <summary>
    /// Stops reading until <see cref="Release"/>: what is published meanwhile queues up, as with a subscriber that hangs. To see
    /// the queue overflow, record with options that bound it.
    /// </summary>
    public void Stall()
    {
        lock (_gate)
        {
            LockedRead();
            _stall ??= NewSignal();
        }
    }

    /// <summary>Goes on reading after <see cref="Stall"/>.</summary>
    public void Release()
    {
        lock (_gate)
        {
            _stall?.SetResult();
            _stall = null;
            LockedRead();
        }
    }

    /// <summary>Stops recording. What was recorded can still be looked at.</summary>
    /// <returns>A task that ends when nothing is read any more.</returns>
    public async ValueTask DisposeAsync()
    {
        Dispose();
        await _reading.ConfigureAwait(false);
    }

    /// <summary>Stops recording. What was recorded can still be looked at.</summary>
    public void Dispose()
    {
        lock (_gate)
            LockedRead();
        _subscription.Dispose();
        Release();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task ReadAsync()
    {
        try
        {
            do
            {
                Task mayRead;
                lock (_gate)
                {
                    LockedRead();
                    mayRead = _stall?.Task ?? Task.CompletedTask;
                }

                await mayRead.ConfigureAwait(false);
            }
            while (await _subscription.Reader.WaitToReadAsync().ConfigureAwait(false));
        }
        catch (SubscriptionOverflowException)
        {
            // It was recorded with options that close it, and all that came before is read.
        }

        lock (_gate)
        {
            _hasEnded = true;
            _changed.SetResult();
        }
    }

    private void LockedRead()
    {
        if (_stall is not null)
            return;
        int before = _envelopes.Count;
        while (_subscription.Reader.TryRead(out Envelope<TEvent> envelope))
            _envelopes.Add(envelope);
        if (_envelopes.Count == before)
            return;
        _changed.SetResult();
        _changed = NewSignal();
    }

    /// <summary>What is recorded after the first so many, as soon as there is anything.</summary>
    private async Task<Envelope<TEvent>[]> ReadAfterAsync(int seen, string expected, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                LockedRead();
                if (_envelopes.Count > seen)
                    return [.. _envelopes[seen..]];
                if (_hasEnded)
                    break;
                changed = _changed.Task;
            }

            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        throw new InvalidOperationException(Describe($"Recording ended before there was {expected}"));
    }

    private string Describe(string what)
    {
        // So many that a test's events are all there, and so few that a message stays one.
        const int Most = 100;
        IReadOnlyList<Envelope<TEvent>> all = Envelopes;
        string events = string.Concat(all.TakeLast(Most).Select(e => $"{Environment.NewLine}  {e.Topic}: {e.Event}"));
        string patterns = string.Join(", ", _subscription.Patterns.Select(p => $"\"{p}\""));
        string listed = all.Count > Most ? $"; the last {Most}:" : all.Count > 0 ? ":" : ".";
        return $"{what}. {all.Count} events of {typeof(TEvent).Name} arrived on {patterns}{listed}{events}";
    }
}
