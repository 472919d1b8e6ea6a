using System.Diagnostics;
using EventBus.Delivery;

namespace EventBus.Handling;

/// <summary>Gathers events, in order, and hands them over when there are enough, or the oldest has waited long enough, or none will come.</summary>
internal sealed class BatchLoop<TEvent>(
    ActivityMonitor activity, SubscriberChannel<TEvent> channel, HandlerCall<TEvent> call, HandlerOptions options)
    : HandlerLoop<TEvent>(activity, channel, call, options)
    where TEvent : notnull
{
    /// <summary>The batch that is being gathered or handled. Only the loop touches it.</summary>
    private readonly List<Envelope<TEvent>> _gathered = [];

    /// <summary>The spans that published the batch; null if none was traced.</summary>
    private List<ActivityLink>? _publishers;

    /// <summary>The size of the batch, for others to read.</summary>
    private volatile int _inHand;

    protected override int InHand => _inHand;

    protected override async Task RunEventsAsync()
    {
        HandlerFlow flow = new(this);
        Task<bool> more = MoreAsync().AsTask();
        while (await more.ConfigureAwait(false))
        {
            BeginBusy();
            try
            {
                more = TryGather(out Taken<TEvent> first)
                    ? await HandleBatchAsync(flow, first).ConfigureAwait(false)
                    : MoreAsync().AsTask();
            }
            finally
            {
                EndBusy();
            }
        }
    }

    /// <summary>Gathers the events after a first one and hands them over, and returns the wait for those after them.</summary>
    private async Task<Task<bool>> HandleBatchAsync(HandlerFlow flow, Taken<TEvent> first)
    {
        try
        {
            Task<bool> more = await GatherAsync().ConfigureAwait(false);
            if (Stopping.IsCancellationRequested)
                AddLeft(_gathered.Count);
            else
                await CallAsync(flow, first, [.. _gathered], _publishers).ConfigureAwait(false);
            return more;
        }
        catch
        {
            AddLeft(_gathered.Count);
            throw;
        }
        finally
        {
            _gathered.Clear();
            _publishers = null;
            _inHand = 0;
        }
    }

    /// <summary>Adds events until the batch is full or due, and returns the wait for those after it.</summary>
    private async Task<Task<bool>> GatherAsync()
    {
        using CancellationTokenSource full = CancellationTokenSource.CreateLinkedTokenSource(Hurried);
        Task due = Task.Delay(Options.MaxBatchDelay, Owner.TimeProvider, full.Token);
        Task<bool> more = MoreAsync().AsTask();
        while (true)
        {
            while (_gathered.Count < Options.MaxBatchSize && TryGather(out _))
            {
            }

            if (_gathered.Count == Options.MaxBatchSize || due.IsCompleted)
                break;

            // The wait is kept when the batch is due first: it is then the one for the next batch.
            if (more.IsCompleted)
                more = MoreAsync().AsTask();
            if (!more.IsCompleted)
                await Task.WhenAny(more, due).ConfigureAwait(false);
            if (more.IsCompleted && !await more.ConfigureAwait(false))
                break;
        }

        await full.CancelAsync().ConfigureAwait(false);
        return more.IsCompleted ? MoreAsync().AsTask() : more;
    }

    private bool TryGather(out Taken<TEvent> taken)
    {
        if (!Channel.TryTake(hold: false, out taken))
            return false;
        _gathered.Add(taken.Envelope);
        if (taken.Origin is TracedOrigin traced)
            (_publishers ??= []).Add(new ActivityLink(traced.Publisher));
        _inHand = _gathered.Count;
        return true;
    }
}
