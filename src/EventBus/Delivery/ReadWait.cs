using System.Diagnostics.CodeAnalysis;
using System.Threading.Tasks.Sources;

namespace EventBus.Delivery;

/// <summary>One reader waiting for an event or the end. Reused by its channel unless it waits with a token.</summary>
/// <remarks>
/// Whoever takes it out of the channel's list, under the channel's lock, is the one that completes it, after the lock: so it is
/// completed exactly once. <see cref="Next"/> belongs to the channel's lock before that and to the completer after it.
/// </remarks>
internal sealed class ReadWait : IValueTaskSource<bool>
{
    private readonly SubscriberChannel _channel;
    private readonly bool _reusable;
    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };

    /// <summary>The subscription, so that a waiting reader keeps it from being reclaimed; null when not waiting.</summary>
    [SuppressMessage("CodeQuality", "IDE0052", Justification = "To be held is all it is for.")]
    private object? _keptAlive;
    private CancellationTokenRegistration _registration;
    private volatile bool _completed;

    public ReadWait(SubscriberChannel channel, bool reusable)
    {
        _channel = channel;
        _reusable = reusable;
    }

    /// <summary>The next in the list this one is in.</summary>
    public ReadWait? Next { get; set; }

    /// <summary>The wait as the reader sees it.</summary>
    public ValueTask<bool> Task => new(this, _source.Version);

    public void Begin(object keepAlive)
    {
        _keptAlive = keepAlive;
        _completed = false;
    }

    /// <summary>Ends the wait when a token is cancelled. Called after it was listed, with no lock held.</summary>
    public void CancelBy(CancellationToken cancellationToken)
    {
        _registration = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                ReadWait wait = (ReadWait)state!;
                if (wait._channel.RemoveReader(wait))
                    wait.Fail(new OperationCanceledException(token));
            },
            this);

        // It may have been completed before there was a registration to remove.
        Interlocked.MemoryBarrier();
        if (_completed)
            _registration.Unregister();
    }

    public void Complete(bool readable)
    {
        End();
        _source.SetResult(readable);
    }

    public void Fail(Exception exception)
    {
        End();
        _source.SetException(exception);
    }

    /// <summary>Completes a list of waits that were taken out of their channels.</summary>
    public static void CompleteAll(ReadWait? first, bool readable)
    {
        while (first is { } wait)
        {
            first = wait.Next;
            wait.Next = null;
            wait.Complete(readable);
        }
    }

    bool IValueTaskSource<bool>.GetResult(short token)
    {
        bool readable = _source.GetResult(token);
        if (_reusable)
        {
            _source.Reset();
            _channel.Reuse(this);
        }

        return readable;
    }

    private void End()
    {
        _keptAlive = null;
        _completed = true;
        Interlocked.MemoryBarrier();
        _registration.Unregister();
    }

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}
