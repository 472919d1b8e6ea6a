namespace EventBus.Handling;

/// <summary>Something that can be busy: a handler, a write-behind.</summary>
internal interface IActivity
{
    /// <summary>
    /// A number that grows before anything is taken on, however soon it is done again. Read before <see cref="IsIdle"/>.
    /// </summary>
    long Accepted { get; }

    /// <summary>Whether nothing is queued, running, delayed or held back.</summary>
    bool IsIdle { get; }

    /// <summary>What keeps it busy, for the message of a time-out.</summary>
    string Describe();

    /// <summary>Hands on what is only buffered, so that handlers still get it; called before they are stopped.</summary>
    /// <param name="cancellationToken">The limit of whoever stops the bus; a limit of its own is its own affair.</param>
    /// <returns>A task that ends when it is handed on, or given up.</returns>
    Task FlushAsync(CancellationToken cancellationToken);
}

/// <summary>Knows every handler and write-behind of a bus, and when all of them are idle at once.</summary>
/// <remarks>
/// <para>
/// Idle at once cannot be read off one look at each: while the second is looked at, the first may get an event from it. It takes
/// two rounds (Mattern's four counters): if all were idle in both, and none accepted anything between its two looks, then all
/// were idle at the moment between the rounds.
/// </para>
/// <para>
/// <see cref="_gate"/> guards the lists. <see cref="_isWatched"/> is read without it by everyone who turns idle: whoever wants to be
/// told sets it before looking, and whoever turns idle does so before reading it, with a fence between, so that one of the
/// two sees the other.
/// </para>
/// </remarks>
internal sealed class ActivityMonitor
{
    private readonly Lock _gate = new();
    private readonly HashSet<IActivity> _activities = [];
    private readonly List<TaskCompletionSource> _waiters = [];
    private volatile bool _isWatched;

    public void Add(IActivity activity)
    {
        lock (_gate)
            _activities.Add(activity);
    }

    public void Remove(IActivity activity)
    {
        lock (_gate)
            _activities.Remove(activity);
        TurnedIdle();
    }

    /// <summary>The handlers.</summary>
    public HandlerLoop[] Loops()
    {
        lock (_gate)
            return [.. _activities.OfType<HandlerLoop>()];
    }

    /// <summary>The write-behinds.</summary>
    public IWriteBehind[] WriteBehinds()
    {
        lock (_gate)
            return [.. _activities.OfType<IWriteBehind>()];
    }

    /// <summary>Has everyone hand on what is only buffered.</summary>
    public Task FlushAsync(CancellationToken cancellationToken)
    {
        IActivity[] activities;
        lock (_gate)
            activities = [.. _activities];
        return Task.WhenAll(activities.Select(a => a.FlushAsync(cancellationToken)));
    }

    /// <summary>Those that are busy now.</summary>
    public string[] DescribeBusy()
    {
        lock (_gate)
            return [.. _activities.Where(a => !a.IsIdle).Select(a => a.Describe())];
    }

    /// <summary>Ends at the first moment at which all are idle.</summary>
    public async Task WhenIdleAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource waiter = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _waiters.Add(waiter);
            _isWatched = true;
        }

        Interlocked.MemoryBarrier();
        Check();
        try
        {
            await waiter.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            lock (_gate)
            {
                _waiters.Remove(waiter);
                _isWatched = _waiters.Count > 0;
            }
        }
    }

    /// <summary>Ends at the first moment at which all of several buses are idle, whose handlers may publish to each other's bus.</summary>
    public static async Task WhenAllIdleAsync(IReadOnlyCollection<ActivityMonitor> monitors, CancellationToken cancellationToken)
    {
        // The same two rounds as within one bus. Whoever was busy is awaited before the next try, so this does not spin.
        long? before, after;
        do
        {
            foreach (ActivityMonitor monitor in monitors)
                await monitor.WhenIdleAsync(cancellationToken).ConfigureAwait(false);
            before = AcceptedIfIdle(monitors);
            after = AcceptedIfIdle(monitors);
        }
        while (before is null || before != after);
    }

    /// <summary>To be called by an activity after it turned idle, with no lock held.</summary>
    public void TurnedIdle()
    {
        Interlocked.MemoryBarrier();
        if (_isWatched)
            Check();
    }

    private void Check()
    {
        lock (_gate)
        {
            // Whoever accepts something between the rounds turns idle after it, and has this looked at again.
            if (_waiters.Count == 0 || LockedAcceptedIfIdle() is not { } before || LockedAcceptedIfIdle() != before)
                return;

            foreach (TaskCompletionSource waiter in _waiters)
                waiter.TrySetResult();
        }
    }

    private static long? AcceptedIfIdle(IReadOnlyCollection<ActivityMonitor> monitors)
    {
        long? accepted = 0;
        foreach (ActivityMonitor monitor in monitors)
        {
            lock (monitor._gate)
                accepted += monitor.LockedAcceptedIfIdle();
        }

        return accepted;
    }

    /// <summary>One round: what was accepted so far; null if somebody is busy.</summary>
    private long? LockedAcceptedIfIdle()
    {
        long accepted = 0;
        foreach (IActivity activity in _activities)
        {
            accepted += activity.Accepted;
            if (!activity.IsIdle)
                return null;
        }

        return accepted;
    }
}
