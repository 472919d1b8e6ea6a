using System.Diagnostics.CodeAnalysis;
using EventBus.Delivery;
using EventBus.Diagnostics;

namespace EventBus.Handling;

/// <summary>Runs a handler over the events of one channel, until the channel has ended and all are handled.</summary>
/// <remarks>
/// <para>Invariant: an event that was taken out of the channel is counted in <see cref="_busy"/> before it is taken, and until it
/// is handled; so whoever finds the channel empty and then nothing busy, knows that nothing is in between.</para>
/// <para>
/// It is known to the bus's monitor before its channel joins, so that nobody who stops or waits for all overlooks it, and until its end:
/// <see cref="Completion"/> ends once, whether it was started or not, and whatever fails in it.
/// </para>
/// <para><see cref="_busy"/>, <see cref="_left"/> and <see cref="_disposal"/> are interlocked; all else is set before the loop starts.</para>
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "The token sources have no timers, and their tokens may be used after the end.")]
internal abstract class HandlerLoop : IActivity
{
    /// <summary>How long a call that was cancelled is waited for before it counts as hanging.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly SubscriberChannel _channel;
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _hurried = new();

    /// <summary>Set by who disposes first; ends when the handler runs no more, or its call is found to hang.</summary>
    private TaskCompletionSource? _disposal;
    private int _busy;
    private int _left;

    protected HandlerLoop(ActivityMonitor activity, SubscriberChannel channel, string name, HandlerOptions options)
    {
        Name = name;
        Activity = activity;
        _channel = channel;
        Options = options;
    }

    /// <summary>Ends when the last event is handled; never faults.</summary>
    public Task Completion => _completion.Task;

    /// <summary>Whether the caller runs inside of one of the handler's calls, or in what a call that still runs has started.</summary>
    public bool IsCurrent => HandlerFlow.IsInside(this);

    public long Accepted => _channel.Offered;

    // The order matters, as taking goes the other way: busy is counted first, then the channel gets emptier.
    public bool IsIdle => _channel.Count == 0 && Volatile.Read(ref _busy) == 0;

    /// <summary>How many events were discarded or given up; those it is working on are not sure to be handled.</summary>
    protected long Unhandled =>
        Volatile.Read(ref _left) + _channel.Snapshot().Counts.Discarded + (Completion.IsCompleted ? 0 : InHand);

    /// <summary>How many events it is working on.</summary>
    protected virtual int InHand => Volatile.Read(ref _busy);

    /// <summary>The handler's type or method, for messages.</summary>
    protected string Name { get; }

    /// <summary>The bus the channel belongs to.</summary>
    protected IChannelOwner Owner => _channel.Owner;

    protected ActivityMonitor Activity { get; }

    protected HandlerOptions Options { get; }

    /// <summary>Cancelled when the handler must stop.</summary>
    protected CancellationToken Stopping => _stopping.Token;

    /// <summary>Cancelled when nothing more is worth waiting for: neither another event for a batch nor the time of the next attempt.</summary>
    protected CancellationToken Hurried => _hurried.Token;

    /// <summary>Has the handler waited for from now on; before the channel joins. It is to be started then, or withdrawn.</summary>
    public void Announce() => Activity.Add(this);

    /// <summary>Ends a loop that is not started, because its channel could not join.</summary>
    public void Withdraw() => End();

    /// <summary>Starts the loop; after the channel has joined.</summary>
    public void Start()
    {
        // Not on the caller's stack, and not in its execution context: handlers must not inherit the span or the locals of
        // whoever happened to subscribe them.
        ThreadPool.UnsafeQueueUserWorkItem(static loop => _ = loop.RunAsync(), this, preferLocal: false);
    }

    /// <summary>From now on nothing waits for more to come, or for the time of the next attempt.</summary>
    // Not Cancel: what waits goes on with calling the handler, and must not do so on the stack of who is in a hurry.
    public void Hurry() => _ = _hurried.CancelAsync();

    /// <summary>Discards what is queued and cancels the handler's token; waits for nothing.</summary>
    public void Stop()
    {
        _channel.End(ChannelEnd.Left);

        // Its callbacks are user code, and must neither hold up nor fail who stops the handler.
        if (!_stopping.IsCancellationRequested)
            _ = _stopping.CancelAsync();
        Hurry();
    }

    /// <summary>
    /// Lets the handler finish within its time, then stops it and waits for the running call, for as long as that may take.
    /// </summary>
    public async Task DisposeAsync()
    {
        await DrainAndStopAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(false);
    }

    /// <summary>
    /// Lets the handler finish within its time, then stops it and waits for the running call; for a call that hangs it does not wait.
    /// </summary>
    public Task DrainAndStopAsync()
    {
        _channel.End(ChannelEnd.Completed);
        Hurry();
        TaskCompletionSource disposal = new(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Interlocked.CompareExchange(ref _disposal, disposal, null) is { } earlier)
            return earlier.Task;
        _ = StopAfterDrainAsync(disposal);
        return disposal.Task;
    }

    /// <summary>
    /// Lets the handler go on until all are idle, since others may still publish to it, and at most for its time; then stops it.
    /// </summary>
    /// <param name="allIdle">Ends when all are idle.</param>
    /// <param name="limit">Cancelled when nothing may be waited for any more: not even the running call.</param>
    public async Task StopWhenIdleAsync(Task allIdle, CancellationToken limit)
    {
        Hurry();
        using (DrainLimit end = new(Options.DrainTimeout, Owner.TimeProvider, limit))
        {
            await allIdle.WaitAsync(end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _channel.End(ChannelEnd.Completed);
            await Completion.WaitAsync(end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (Completion.IsCompleted)
            return;
        Stop();
        await WaitForCallAsync(limit).ConfigureAwait(false);
        if (limit.CanBeCanceled)
            await Completion.WaitAsync(limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ReportUnhandled();

        // Whoever disposes the bus must not wait for a call that has not even ended at the limit.
        Activity.Remove(this);
    }

    /// <summary>Says what was not handled, if anything was not; after <see cref="Stop"/>.</summary>
    public void ReportUnhandled()
    {
        long unhandled = Unhandled;
        if (unhandled > 0)
            Log.HandlerStopped(Owner.Logger, Name, _channel.Profile.ToString(), unhandled);
    }

    public string Describe() => $"handler of {_channel.Profile}: {_channel.Count} queued, {Volatile.Read(ref _busy)} running";

    /// <summary>Nothing: a handler works on what it has without being asked.</summary>
    Task IActivity.FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Takes events and handles them until there are none and will be none.</summary>
    protected abstract Task RunLoopAsync();

    /// <summary>Waits, unless there is hurry.</summary>
    protected async Task PauseAsync(TimeSpan delay)
    {
        await Task.Delay(delay, Owner.TimeProvider, Hurried).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // Those who paused are told of the hurry one after the other: what one does next must not hold up the others.
        if (Hurried.IsCancellationRequested)
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
    }

    /// <summary>Counts events that were taken out of the channel and will not be handled.</summary>
    protected void AddLeft(int count) => Interlocked.Add(ref _left, count);

    /// <summary>Ends the handler, because something failed in its loop, and says so.</summary>
    /// <remarks>Nothing that user code throws gets there. What does, as memory runs out, leaves nobody who would take events.</remarks>
    protected void Fail(Exception exception)
    {
        Stop();
        Log.HandlerEnded(Owner.Logger, exception, Name, _channel.Profile.ToString(), Unhandled);
    }

    /// <summary>To be called before taking an event out of the channel.</summary>
    protected void BeginBusy() => Interlocked.Increment(ref _busy);

    /// <summary>To be called when nothing was taken after all, or what was taken is handled.</summary>
    protected void EndBusy()
    {
        if (Interlocked.Decrement(ref _busy) == 0)
            Activity.TurnedIdle();
    }

    private async Task StopAfterDrainAsync(TaskCompletionSource disposal)
    {
        // One that was stopped before has nothing to drain, and what it left is the business of who stopped it.
        bool drains = !Stopping.IsCancellationRequested;
        if (drains)
        {
            using DrainLimit end = new(Options.DrainTimeout, Owner.TimeProvider);
            await Completion.WaitAsync(end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (!Completion.IsCompleted)
        {
            Stop();
            await WaitForCallAsync(CancellationToken.None).ConfigureAwait(false);
            if (drains)
                ReportUnhandled();
        }

        disposal.SetResult();
    }

    /// <summary>Waits until a call that was cancelled ends, or is found to hang, which is said.</summary>
    private async Task WaitForCallAsync(CancellationToken limit)
    {
        using DrainLimit patience = new(Patience, Owner.TimeProvider, limit);
        await Completion.WaitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // One that has nothing in hand is about to end, and was only left no time to.
        if (!Completion.IsCompleted && InHand > 0)
            Log.HandlerHangs(Owner.Logger, Name, _channel.Profile.ToString(), InHand);
    }

    private async Task RunAsync()
    {
        try
        {
            await RunLoopAsync().ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
        finally
        {
            End();
        }
    }

    private void End()
    {
        Activity.Remove(this);
        _completion.SetResult();
    }
}
