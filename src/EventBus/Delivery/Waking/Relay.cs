using System.Diagnostics.CodeAnalysis;

namespace EventBus.Delivery;

/// <summary>Wakes many readers for the price of one work item on the publisher's thread.</summary>
/// <remarks>
/// <para>
/// A run takes one reader after the other and lets each go on where it is, on a thread of the pool. Before it does, it sees to it that another
/// run is queued while readers are left: so one whose code takes its time holds up nobody, and if all are quick a few runs do all.
/// </para>
/// <para>The gate guards everything. Invariant, with the gate free: while readers are left a run is queued, or about to be.</para>
/// </remarks>
internal sealed class Relay : IThreadPoolWorkItem
{
    /// <summary>After so many a run gives its thread back, so that other work gets its turn.</summary>
    private const int ReadersPerRun = 64;

    private Gate _gate;
    private ReadWait? _first;
    private ReadWait? _last;

    /// <summary>Whether a run is queued that has not begun, or is about to be.</summary>
    private bool _isQueued;

    /// <summary>The next one in the list of a publish that is about to queue them; its own while <see cref="_isQueued"/>.</summary>
    public Relay? Next { get; set; }

    /// <summary>Adds a list of readers.</summary>
    /// <returns>Whether the caller is to queue a run, by <see cref="Queue"/>, once it holds no lock.</returns>
    public bool Append(ReadWait first, ReadWait last)
    {
        using (_gate.Enter())
        {
            if (_last is null)
                _first = first;
            else
                _last.Next = first;
            _last = last;
            return TryClaim();
        }
    }

    /// <summary>Queues a run. Never throws.</summary>
    public void Queue()
    {
        try
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
        }
        catch (Exception)
        {
            // No memory to queue it. Those who are left wait here, not for the next event, so nobody need come by: each is tried alone.
            ReadWait.CompleteAll(TakeAll(), readable: true);
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        ExecutionContext? flow = ExecutionContext.Capture();
        for (int turn = 0; TryTake(isFirst: turn == 0, out ReadWait? wait, out bool hasToQueue); turn++)
        {
            if (hasToQueue)
                Queue();
            wait.CompleteHere();

            // What a reader leaves on the thread is not for the next one, as it is not where the pool goes on with each.
            if (flow is not null)
                ExecutionContext.Restore(flow);
            if (SynchronizationContext.Current is not null)
                SynchronizationContext.SetSynchronizationContext(null);
            if (turn >= ReadersPerRun && Volatile.Read(ref _isQueued))
                return;
        }
    }

    private bool TryTake(bool isFirst, [NotNullWhen(true)] out ReadWait? wait, out bool hasToQueue)
    {
        using (_gate.Enter())
        {
            if (isFirst)
                _isQueued = false;
            wait = _first;
            hasToQueue = false;
            if (wait is null)
                return false;
            _first = wait.Next;
            wait.Next = null;
            if (_first is null)
                _last = null;
            else
                hasToQueue = TryClaim();
            return true;
        }
    }

    private ReadWait? TakeAll()
    {
        using (_gate.Enter())
        {
            ReadWait? all = _first;
            _first = _last = null;
            _isQueued = false;
            return all;
        }
    }

    private bool TryClaim()
    {
        bool isClaimed = !_isQueued;
        _isQueued = true;
        return isClaimed;
    }
}
