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
    /// <returns>A task that ends when it is handed on; it fails or is cancelled when that took too long.</returns>
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
    private readonly List<Waiter> _waiters = [];
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
    /// <param name="cancellationToken">The limit of whoever stops the bus.</param>
    /// <param name="stuck">Those that could not before, and are not asked again; null: none.</param>
    /// <returns>Those that could not now.</returns>
    public async Task<IActivity[]> FlushAsync(CancellationToken cancellationToken, ISet<IActivity>? stuck = null)
    {
        IActivity[] activities;
        lock (_gate)
            activities = [.. _activities.Where(a => stuck?.Contains(a) != true)];
        Task[] flushes = Array.ConvertAll(activities, a => a.FlushAsync(cancellationToken));
        await Task.WhenAll(flushes).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return [.. activities.Where((_, i) => !flushes[i].IsCompletedSuccessfully)];
    }

    /// <summary>Those that are busy now.</summary>
    public string[] DescribeBusy()
    {
        lock (_gate)
            return [.. _activities.Where(a => !a.IsIdle).Select(a => a.Describe())];
    }

    /// <summary>Ends at the first moment at which all are idle.</summary>
    public Task WhenIdleAsync(CancellationToken cancellationToken) => WhenIdleAsync(static _ => true, cancellationToken);

    /// <summary>
    /// Ends at the first moment at which all of several buses are done, whose handlers may publish to each other's bus: when the handlers
    /// are idle, and what they had others buffer is handed on as well.
    /// </summary>
    /// <param name="monitors">The buses.</param>
    /// <param name="stuck">Those that cannot hand on what they have, and are not waited for; more are added.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    public static async Task WhenDoneAsync(
        IReadOnlyCollection<ActivityMonitor> monitors, HashSet<IActivity> stuck, CancellationToken cancellationToken)
    {
        // The same two rounds as within one bus. Whoever was busy is awaited before the next try, so this does not spin.
        long? before, after;
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (ActivityMonitor monitor in monitors)
                await monitor.WhenIdleAsync(static a => a is HandlerLoop, cancellationToken).ConfigureAwait(false);
            foreach (ActivityMonitor monitor in monitors)
                stuck.UnionWith(await monitor.FlushAsync(cancellationToken, stuck).ConfigureAwait(false));
            before = AcceptedIfIdle(monitors, stuck);
            after = AcceptedIfIdle(monitors, stuck);
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

    private async Task WhenIdleAsync(Func<IActivity, bool> counts, CancellationToken cancellationToken)
    {
        Waiter waiter = new(counts);
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

    private void Check()
    {
        lock (_gate)
        {
            foreach (Waiter waiter in _waiters)
            {
                // Whoever accepts something between the rounds turns idle after it, and has this looked at again.
                if (LockedAcceptedIfIdle(waiter.Counts) is { } before && LockedAcceptedIfIdle(waiter.Counts) == before)
                    waiter.TrySetResult();
            }
        }
    }

    private static long? AcceptedIfIdle(IReadOnlyCollection<ActivityMonitor> monitors, HashSet<IActivity> stuck)
    {
        long? accepted = 0;
        foreach (ActivityMonitor monitor in monitors)
        {
            lock (monitor._gate)
                accepted += monitor.LockedAcceptedIfIdle(a => !stuck.Contains(a));
        }

        return accepted;
    }

    /// <summary>One round over those that count: what was accepted so far; null if one of them is busy.</summary>
    private long? LockedAcceptedIfIdle(Func<IActivity, bool> counts)
    {
        long accepted = 0;
        foreach (IActivity activity in _activities)
        {
            if (!counts(activity))
                continue;
            accepted += activity.Accepted;
            if (!activity.IsIdle)
                return null;
        }

        return accepted;
    }

    /// <summary>Somebody who waits until those that count are idle. Continuations never run inline, so it may be ended under the lock.</summary>
    private sealed class Waiter(Func<IActivity, bool> counts) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public Func<IActivity, bool> Counts { get; } = counts;
    }
}
