using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace EventBus.Delivery;

/// <summary>One reader waiting for an event or the end. Reused by its channel unless it waits with a token.</summary>
/// <remarks>
/// Whoever takes it out of where it waits, under the lock there, is the one that completes it, after the lock: so it is completed exactly
/// once. Its place in a list belongs to that lock before, and to the completer after it.
/// </remarks>
internal sealed class ReadWait : QueuedWait<ReadWait>, IValueTaskSource<bool>, IThreadPoolWorkItem
{
    private readonly GroupMember _member;
    private readonly bool _reusable;
    private ContainedSource<bool> _source;

    /// <summary>The subscription, so that a waiting reader keeps it from being reclaimed; null when not waiting.</summary>
    [SuppressMessage("CodeQuality", "IDE0052", Justification = "To be held is all it is for.")]
    private object? _keptAlive;
    private CancellationTokenRegistration _registration;
    private volatile bool _completed;

    /// <summary>Whether what completes it is a thread of the pool that has the time to go on with the reader.</summary>
    private volatile bool _goesOnHere;

    public ReadWait(GroupMember member, bool reusable)
    {
        _member = member;
        _reusable = reusable;
        _source = new ContainedSource<bool>(member.Owner.Logger);
    }

    /// <summary>The wait as the reader sees it.</summary>
    public ValueTask<bool> Task => new(this, _source.Version);

    /// <summary>Whether it waits to take an event, rather than only to be told that there is one.</summary>
    public bool Takes { get; private set; }

    /// <summary>The round of <see cref="ParkedReaders"/> in which it was parked; 0: none. Guarded by the group's gate.</summary>
    public long ParkedIn { get; set; }

    public void Begin(object keepAlive, bool takes)
    {
        Takes = takes;
        _keptAlive = keepAlive;
        _completed = _goesOnHere = false;
    }

    /// <summary>Ends the wait when a token is cancelled. Called after it was queued, with no lock held.</summary>
    public void CancelBy(CancellationToken cancellationToken)
    {
        CancellationTokenRegistration registration;
        try
        {
            registration = cancellationToken.UnsafeRegister(
                static (state, token) =>
                {
                    ReadWait wait = (ReadWait)state!;
                    if (wait._member.RemoveReader(wait))
                        wait.Fail(new OperationCanceledException(token));
                },
                this);
        }
        catch (OutOfMemoryException)
        {
            // Nobody awaits it, so it must not be told of an event in the place of one that is awaited.
            if (!_member.RemoveReader(this))
                _member.PassOn();
            throw;
        }

        _registration = registration;

        // It may have been completed before there was a registration to remove. Not by the field: whoever completed it may have written there
        // at the same time, and half of each would unregister nothing.
        Interlocked.MemoryBarrier();
        if (_completed)
        {
            registration.Unregister();
            _registration = default;
        }
    }

    /// <summary>Makes one list of two; the second is to be the longer one, if any is.</summary>
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

    /// <summary>Tells it that there is something to read, and goes on with the reader; on a thread of the pool.</summary>
    /// <remarks>What the reader throws is thrown, as it is where the pool goes on with it.</remarks>
    public void CompleteHere()
    {
        _goesOnHere = true;
        End();
        _source.SetResult(true);
    }

    /// <summary>Goes on with the reader here, if that is what it was completed for, or has the pool do so.</summary>
    public void GoOn()
    {
        if (_goesOnHere)
            _source.GoOn();
        else
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
    }

    bool IValueTaskSource<bool>.GetResult(short token)
    {
        bool readable = _source.GetResult(token);
        if (_reusable)
        {
            _source.Reset();
            _member.Reuse(this);
        }

        return readable;
    }

    private static void CompleteList(ReadWait? first, bool readable)
    {
        while (first is { } wait)
        {
            first = wait.Next;
            wait.Next = null;
            wait.Complete(readable);
        }
    }

    private void Complete(bool readable)
    {
        try
        {
            End();
            _source.SetResult(readable);
        }
        catch (Exception)
        {
            // No memory to hand it to the pool: this reader is lost, and no other.
        }
    }

    private void Fail(Exception exception)
    {
        End();
        _source.SetException(exception);
    }

    private void End()
    {
        // The one that was parked before it may be of a subscriber that is gone.
        Previous = null;
        _keptAlive = null;
        _completed = true;
        Interlocked.MemoryBarrier();
        Unregister();
    }

    /// <summary>Lets go of the token, too: the channel may go on to refer to a wait that is over.</summary>
    private void Unregister()
    {
        _registration.Unregister();
        _registration = default;
    }

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags, owner: this);

    /// <summary>The pool lets the reader go on.</summary>
    void IThreadPoolWorkItem.Execute() => _source.GoOn();
}
