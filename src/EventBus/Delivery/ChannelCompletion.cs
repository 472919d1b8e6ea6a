namespace EventBus.Delivery;

/// <summary>The two tasks that end with a channel, made when they are asked for; each is the same one before and after the end.</summary>
/// <remarks>Making them is guarded by the channel's lock; <see cref="Finish"/> is called once, after the state is final and the lock is free.</remarks>
internal struct ChannelCompletion
{
    private TaskCompletionSource? _subscription;
    private TaskCompletionSource? _reader;

    /// <summary>Ends, and never faults, when the channel has ended and all it held was read.</summary>
    public Task LockedSubscription(bool isFinished)
    {
        if (_subscription is null)
        {
            _subscription = new(TaskCreationOptions.RunContinuationsAsynchronously);

            // Whoever finishes may see it before this line, and do the same.
            if (isFinished)
                _subscription.TrySetResult();
        }

        return _subscription.Task;
    }

    /// <summary>The same as channels have it: it faults when the channel overflowed.</summary>
    public Task LockedReader(bool isFinished, Exception? fault)
    {
        if (_reader is null)
        {
            _reader = new(TaskCreationOptions.RunContinuationsAsynchronously);
            if (isFinished)
                End(_reader, fault);
        }

        return _reader.Task;
    }

    /// <summary>Ends both.</summary>
    public readonly void Finish(Exception? fault)
    {
        // Whoever asked between the end and now has got one that has ended.
        _subscription?.TrySetResult();
        if (_reader is not null)
            End(_reader, fault);
    }

    private static void End(TaskCompletionSource reader, Exception? fault)
    {
        if (fault is null)
        {
            reader.TrySetResult();
            return;
        }

        reader.TrySetException(fault);
        _ = reader.Task.Exception; // who awaits it sees it; who does not is not to be told by the finalizer
    }
}
