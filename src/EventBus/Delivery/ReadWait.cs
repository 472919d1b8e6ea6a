using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace EventBus.Delivery;

/// <summary>One reader waiting for an event or the end. Reused by its channel unless it waits with a token.</summary>
/// <remarks>
/// Whoever takes it out of the channel's queue, under the channel's lock, is the one that completes it, after the lock: so it is
/// completed exactly once. Its place in the list belongs to the channel's lock before that and to the completer after it.
/// </remarks>
internal sealed class ReadWait : QueuedWait<ReadWait>, IValueTaskSource<bool>, IThreadPoolWorkItem
{
    private readonly SubscriberChannel _channel;
    private readonly bool _reusable;
    private ContainedSource<bool> _source;

    /// <summary>The subscription, so that a waiting reader keeps it from being reclaimed; null when not waiting.</summary>
    [SuppressMessage("CodeQuality", "IDE0052", Justification = "To be held is all it is for.")]
    private object? _keptAlive;
    private CancellationTokenRegistration _registration;
    private volatile bool _completed;

    public ReadWait(SubscriberChannel channel, bool reusable)
    {
        _channel = channel;
        _reusable = reusable;
        _source = new ContainedSource<bool>(channel.Owner.Logger);
    }

    /// <summary>The wait as the reader sees it.</summary>
    public ValueTask<bool> Task => new(this, _source.Version);

    /// <summary>Whether it waits to take an event, rather than only to be told that there is one.</summary>
    public bool Takes { get; private set; }

    public void Begin(object keepAlive, bool takes)
    {
        Takes = takes;
        _keptAlive = keepAlive;
        _completed = false;
    }

    /// <summary>Ends the wait when a token is cancelled. Called after it was queued, with no lock held.</summary>
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

    /// <summary>Makes one list of two.</summary>
    public static ReadWait? Join(ReadWait? first, ReadWait? second)
    {
        if (first is null || second is null)
            return first ?? second;
        ReadWait last = first;
        while (last.Next is { } next)
            last = next;
        last.Next = second;
        return first;
    }

    /// <summary>Completes a list of waits that were taken out of their channels; whatever one throws, the others are completed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CompleteAll(ReadWait? first, bool readable)
    {
        if (first is not null)
            CompleteList(first, readable);
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

    private static void CompleteList(ReadWait? first, bool readable)
    {
        while (first is { } wait)
        {
            first = wait.Next;
            wait.Next = null;
            try
            {
                wait.End();
                wait._source.SetResult(readable);
            }
            catch (Exception)
            {
                // No memory to hand it to the pool: this reader is lost, and no other.
            }
        }
    }

    private void Fail(Exception exception)
    {
        End();
        _source.SetException(exception);
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
        _source.OnCompleted(continuation, state, token, flags, owner: this);

    /// <summary>The pool lets the reader go on.</summary>
    void IThreadPoolWorkItem.Execute() => _source.GoOn();
}
