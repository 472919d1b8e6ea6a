using EventBus.Delivery;

namespace EventBus.Handling;

/// <summary>Gathers events, in order, and hands them over when there are enough, or the oldest has waited long enough, or none will come.</summary>
internal sealed class BatchLoop<TEvent>(
    ActivityMonitor activity, SubscriberChannel<TEvent> channel, HandlerCall<TEvent> call, HandlerOptions options)
    : HandlerLoop<TEvent>(activity, channel, call, options)
    where TEvent : notnull
{
    protected override async Task RunLoopAsync()
    {
        List<Envelope<TEvent>> gathered = [];
        Task<bool> more = MoreAsync();
        while (await more.ConfigureAwait(false))
        {
            BeginBusy();
            if (Channel.TryTake(hold: false, out Taken<TEvent> first))
            {
                gathered.Add(first.Envelope);
                more = await GatherAsync(gathered).ConfigureAwait(false);
                if (Stopping.IsCancellationRequested)
                    AddLeft(gathered.Count);
                else
                    await HandleAsync(first, [.. gathered]).ConfigureAwait(false);
                gathered.Clear();
            }
            else
            {
                more = MoreAsync();
            }

            EndBusy();
        }
    }

    /// <summary>Adds events until the batch is full or due, and returns the wait for those after it.</summary>
    private async Task<Task<bool>> GatherAsync(List<Envelope<TEvent>> gathered)
    {
        CancellationTokenSource full = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        Task due = Task.Delay(Options.MaxBatchDelay, Owner.TimeProvider, full.Token);
        Task<bool> more = MoreAsync();
        while (true)
        {
            while (gathered.Count < Options.MaxBatchSize && Channel.TryTake(hold: false, out Taken<TEvent> next))
                gathered.Add(next.Envelope);
            if (gathered.Count == Options.MaxBatchSize || due.IsCompleted)
                break;

            // The wait is kept when the batch is due first: it is then the one for the next batch.
            if (more.IsCompleted)
                more = MoreAsync();
            if (!more.IsCompleted)
                await Task.WhenAny(more, due).ConfigureAwait(false);
            if (more.IsCompleted && !await more.ConfigureAwait(false))
                break;
        }

        await full.CancelAsync().ConfigureAwait(false);
        full.Dispose();
        return more.IsCompleted ? MoreAsync() : more;
    }

    /// <summary>Waits for events; false when there will be none, for whatever reason.</summary>
    private async Task<bool> MoreAsync()
    {
        try
        {
            return await Channel.WaitToReadAsync(this, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SubscriptionOverflowException)
        {
            return false;
        }
    }
}
