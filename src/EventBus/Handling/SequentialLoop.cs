using EventBus.Delivery;

namespace EventBus.Handling;

/// <summary>Handles one event at a time, in order.</summary>
internal sealed class SequentialLoop<TEvent>(
    ActivityMonitor activity, SubscriberChannel<TEvent> channel, HandlerCall<TEvent> call, HandlerOptions options)
    : HandlerLoop<TEvent>(activity, channel, call, options)
    where TEvent : notnull
{
    /// <summary>After so many events without a pause the thread is given back, so that other work gets its turn.</summary>
    private const int EventsPerTurn = 256;

    protected override async Task RunEventsAsync()
    {
        HandlerFlow flow = new(this);
        do
        {
            BeginBusy();
            try
            {
                for (int turn = 1; Channel.TryTake(hold: false, out Taken<TEvent> taken); turn++)
                {
                    await CallAsync(flow, taken).ConfigureAwait(false);
                    if (turn % EventsPerTurn == 0)
                        await Task.Yield();
                }
            }
            finally
            {
                EndBusy();
            }
        }
        while (await MoreAsync().ConfigureAwait(false));
    }
}
