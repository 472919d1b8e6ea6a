using System.Diagnostics.CodeAnalysis;
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
/// <see cref="_gate"/> guards <see cref="_lanes"/> and <see cref="_flows"/>. Invariant: a topic has a lane exactly while a worker is on it, so
/// idle topics take no memory; a worker gives up its lane under the lock, having seen that nothing is held back in it.
/// </para>
/// <para>Whoever claims a worker, or an event's share of being busy, gives it back or hands it on, whatever fails.</para>
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore that nobody asks for its wait handle has nothing to dispose of.")]
internal sealed class ConcurrentLoop<TEvent>(
    ActivityMonitor activity, SubscriberChannel<TEvent> channel, HandlerCall<TEvent> call, HandlerOptions options)
    : HandlerLoop<TEvent>(activity, channel, call, options)
    where TEvent : notnull
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Queue<Taken<TEvent>>?> _lanes = new(StringComparer.Ordinal);

    /// <summary>The flows of workers that have nothing to do.</summary>
    private readonly Stack<HandlerFlow> _flows = new();
    private readonly SemaphoreSlim _workers = new(options.MaxConcurrency);
    private readonly bool _isOrdered = options.Order == HandlerOrder.PerTopic;

    protected override async Task RunEventsAsync()
    {
        try
        {
            do
            {
                // One worker is always claimed before an event is taken, so that what cannot be handled yet stays in the channel.
                do
                    await _workers.WaitAsync().ConfigureAwait(false);
                while (TryDispatch());
            }
            while (await MoreAsync().ConfigureAwait(false));
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
        finally
        {
            // The end is not reached before the last worker is done.
            for (int i = 0; i < Options.MaxConcurrency; i++)
                await _workers.WaitAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Has the worker that was claimed handle the next event, if there is one, or gives it back.</summary>
    private bool TryDispatch()
    {
        bool isHandedOn = false;
        BeginBusy();
        try
        {
            while (!isHandedOn && Channel.TryTake(_isOrdered, out Taken<TEvent> taken))
            {
                if (_isOrdered && TryHoldBack(taken))
                    continue;
                isHandedOn = true;
                _ = WorkAsync(taken);
            }
        }
        finally
        {
            if (!isHandedOn)
                EndWork();
        }

        return isHandedOn;
    }

    private async Task WorkAsync(Taken<TEvent> taken)
    {
        try
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            HandlerFlow flow = TakeFlow();
            do
            {
                if (!_isOrdered || Channel.Release(taken))
                    await CallAsync(flow, taken).ConfigureAwait(false);
            }
            while (_isOrdered && TryGoOn(ref taken));
            PutBack(flow);
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
        finally
        {
            EndWork();
        }
    }

    private HandlerFlow TakeFlow()
    {
        lock (_gate)
            return _flows.TryPop(out HandlerFlow? flow) ? flow : new HandlerFlow(this);
    }

    private void PutBack(HandlerFlow flow)
    {
        lock (_gate)
            _flows.Push(flow);
    }

    /// <summary>Gives back the worker and its share of being busy.</summary>
    private void EndWork()
    {
        EndBusy();
        _workers.Release();
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
