using EventBus.Delivery;

namespace EventBus.Handling;

/// <summary>Handles several events at once: those of one topic one at a time and in order, or all beside each other.</summary>
/// <remarks>
/// <para>
/// One dispatcher takes events out of the channel, as long as a worker is free. An event whose topic is being worked on is held back
/// in that topic's lane, where it still takes up room in the channel, and the worker of the topic goes on with it. So a slow
/// topic occupies one worker, and no other topic waits for it while there are others.
/// </para>
/// <para>
/// <see cref="_gate"/> guards <see cref="_lanes"/>. Invariant: a topic has a lane exactly while a worker is on it, so idle topics
/// take no memory; a worker gives up its lane under the lock, having seen that nothing is held back in it.
/// </para>
/// </remarks>
internal sealed class ConcurrentLoop<TEvent>(
    ActivityMonitor activity, SubscriberChannel<TEvent> channel, HandlerCall<TEvent> call, HandlerOptions options)
    : HandlerLoop<TEvent>(activity, channel, call, options)
    where TEvent : notnull
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Queue<Taken<TEvent>>?> _lanes = new(StringComparer.Ordinal);
    private readonly bool _isOrdered = options.Order == HandlerOrder.PerTopic;

    protected override async Task RunEventsAsync()
    {
        using SemaphoreSlim workers = new(Options.MaxConcurrency);
        do
        {
            // One worker is always claimed before an event is taken, so that what cannot be handled yet stays in the channel.
            await workers.WaitAsync().ConfigureAwait(false);
            await DispatchAsync(workers).ConfigureAwait(false);
            workers.Release();
        }
        while (await MoreAsync().ConfigureAwait(false));

        // The end is not reached before the last worker is done.
        for (int i = 0; i < Options.MaxConcurrency; i++)
            await workers.WaitAsync().ConfigureAwait(false);
    }

    /// <summary>Hands out what is in the channel, with one worker claimed before and after.</summary>
    private async Task DispatchAsync(SemaphoreSlim workers)
    {
        BeginBusy();
        while (Channel.TryTake(_isOrdered, out Taken<TEvent> taken))
        {
            if (_isOrdered && TryHoldBack(taken))
                continue;

            // What was begun is ended by the worker.
            _ = WorkAsync(taken, workers);
            await workers.WaitAsync().ConfigureAwait(false);
            BeginBusy();
        }

        EndBusy();
    }

    private async Task WorkAsync(Taken<TEvent> taken, SemaphoreSlim workers)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        bool more;
        do
        {
            if (!_isOrdered || Channel.Release(taken))
                await HandleAsync(taken).ConfigureAwait(false);
            more = _isOrdered && TryGoOn(ref taken);
        }
        while (more);

        EndBusy();
        workers.Release();
    }

    /// <summary>Puts an event into its topic's lane if somebody works there; else opens the lane for whoever asked.</summary>
    private bool TryHoldBack(in Taken<TEvent> taken)
    {
        lock (_gate)
        {
            if (!_lanes.TryGetValue(taken.Origin.Topic, out Queue<Taken<TEvent>>? lane))
            {
                _lanes.Add(taken.Origin.Topic, null);
                return false;
            }

            if (lane is null)
                _lanes[taken.Origin.Topic] = lane = new Queue<Taken<TEvent>>();
            lane.Enqueue(taken);
            return true;
        }
    }

    /// <summary>Takes the next event of the same topic, or closes its lane.</summary>
    private bool TryGoOn(ref Taken<TEvent> taken)
    {
        lock (_gate)
        {
            if (_lanes[taken.Origin.Topic] is { } lane && lane.TryDequeue(out Taken<TEvent> next))
            {
                taken = next;
                return true;
            }

            _lanes.Remove(taken.Origin.Topic);
            return false;
        }
    }
}
