using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace EventBus.Delivery;

/// <summary>
/// Reading the next event, waiting for it if need be: a step of a loop, or a single read. Used again for the next one; waiting allocates
/// nothing unless it is with a token.
/// </summary>
/// <remarks>
/// One read at a time, as with every <see cref="ValueTask"/>, so nothing needs a lock; <see cref="_isReading"/> refuses a second one, and a result
/// that is taken twice or too early, before it can harm the read that is under way. What is set before a wait is read by the thread that ends
/// it. Not an async method: what awaits one goes on in whatever context it captured, on a thread that has no one to tell if that throws.
/// </remarks>
internal abstract class EventRead<TEvent, TResult> : IValueTaskSource<TResult>
    where TEvent : notnull
{
    private readonly Subscription<TEvent> _subscription;
    private readonly SubscriberChannel<TEvent> _channel;
    private Action? _goOn;
    private ContainedSource<TResult> _source;
    private ConfiguredValueTaskAwaitable<bool>.ConfiguredValueTaskAwaiter _readable;
    private CancellationToken _cancellationToken;

    /// <summary>Whether <see cref="_readable"/> is a wait that is not looked at yet.</summary>
    private bool _isWaiting;

    /// <summary>Whether there is a read whose result was not taken yet; interlocked.</summary>
    private bool _isReading;

    protected EventRead(Subscription<TEvent> subscription)
    {
        _subscription = subscription;
        _channel = subscription.TypedChannel;
        _source = new ContainedSource<TResult>(_channel.Owner.Logger);
    }

    /// <summary>Refuses a read beside one that waits, which it would take the event from.</summary>
    protected void ThrowIfReading()
    {
        if (Volatile.Read(ref _isReading))
            throw TwoAtOnce();
    }

    protected bool TryRead(out Envelope<TEvent> envelope) => _channel.TryRead(out envelope);

    /// <summary>Waits for an event and takes it, after one was looked for in vain.</summary>
    protected ValueTask<TResult> WaitAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _isReading, true))
            throw TwoAtOnce();
        _cancellationToken = cancellationToken;
        ValueTask<TResult> task = new(this, _source.Version);
        GoOn();
        return task;
    }

    /// <summary>What the read ends with when it got an event.</summary>
    protected abstract TResult Got(in Envelope<TEvent> envelope);

    /// <summary>What the read ends with when there are no more.</summary>
    protected abstract TResult Ended();

    /// <summary>The result was taken: the instance may be used for another read.</summary>
    protected virtual void Done()
    {
    }

    TResult IValueTaskSource<TResult>.GetResult(short token)
    {
        if (_source.GetStatus(token) == ValueTaskSourceStatus.Pending)
            throw new InvalidOperationException("The read has not ended yet: await it, rather than asking for its result.");
        try
        {
            return _source.GetResult(token);
        }
        finally
        {
            // Neither the event nor the token is held on to until the next read.
            _source.Reset();
            _readable = default;
            _cancellationToken = default;
            Volatile.Write(ref _isReading, false);
            Done();
        }
    }

    ValueTaskSourceStatus IValueTaskSource<TResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<TResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags, owner: null);

    private static InvalidOperationException TwoAtOnce() => new(
        "A read of this loop is under way already. Await each before the next; to read from several places, give each a loop of its own.");

    /// <summary>Waits, or ends the read; also what is called when a wait is over, on a thread of the pool.</summary>
    [SuppressMessage("Reliability", "CA2012", Justification = "The awaiter is consumed once, when the wait is over.")]
    private void GoOn()
    {
        TResult? result;
        try
        {
            do
            {
                if (!_isWaiting)
                {
                    _readable = _channel.WaitToReadAsync(_subscription, takes: true, _cancellationToken).ConfigureAwait(false).GetAwaiter();
                    _isWaiting = true;
                    if (!_readable.IsCompleted)
                    {
                        _readable.UnsafeOnCompleted(_goOn ??= GoOn);
                        return;
                    }
                }

                _isWaiting = false;
            }
            while (!TryEnd(_readable.GetResult(), out result));
        }
        catch (Exception exception)
        {
            _isWaiting = false;
            _source.SetException(exception);
            return;
        }

        // What waits for the read may go on in here.
        _source.SetResult(result);
    }

    /// <returns>False if another reader was quicker.</returns>
    private bool TryEnd(bool isReadable, [MaybeNullWhen(false)] out TResult result)
    {
        if (!isReadable)
        {
            result = Ended();
            return true;
        }

        bool isTaken = _channel.TryRead(out Envelope<TEvent> envelope);
        result = isTaken ? Got(envelope) : default;
        return isTaken;
    }
}
