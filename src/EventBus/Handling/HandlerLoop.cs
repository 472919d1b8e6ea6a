using System.Diagnostics.CodeAnalysis;
using EventBus.Delivery;
using EventBus.Diagnostics;

namespace EventBus.Handling;

/// <summary>Runs a handler over the events of one channel, until the channel has ended and all are handled.</summary>
/// <remarks>
/// <para>Invariant: an event that was taken out of the channel is counted in <see cref="_busy"/> before it is taken, and until it
/// is handled; so whoever finds the channel empty and then nothing busy, knows that nothing is in between.</para>
/// <para><see cref="_busy"/>, <see cref="_left"/> and <see cref="_disposal"/> are interlocked; all else is set before the loop starts.</para>
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "The token source has no timer, and its token may be used after the end.")]
internal abstract class HandlerLoop : IActivity
{
    /// <summary>The handler whose flow of execution this is: set where its loop starts, and inherited by all it runs.</summary>
    private static readonly AsyncLocal<HandlerLoop?> Current = new();

    private readonly SubscriberChannel _channel;
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Set by who disposes first; ends when the handler runs no more.</summary>
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

    /// <summary>Whether the caller runs inside of the handler.</summary>
    public bool IsCurrent => Current.Value == this && Volatile.Read(ref _busy) > 0;

    public long Accepted => _channel.Offered;

    // The order matters, as taking goes the other way: busy is counted first, then the channel gets emptier.
    public bool IsIdle => _channel.Count == 0 && Volatile.Read(ref _busy) == 0;

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

    /// <summary>Starts the loop; after the channel has joined.</summary>
    public void Start()
    {
        Activity.Add(this);

        // Not on the caller's stack, and not in its execution context: handlers must not inherit the span or the locals of
        // whoever happened to subscribe them.
        ThreadPool.UnsafeQueueUserWorkItem(static loop => _ = loop.RunAsync(), this, preferLocal: false);
    }

    /// <summary>Discards what is queued and cancels the handler's token; waits for nothing.</summary>
    public void Stop()
    {
        _channel.End(ChannelEnd.Left);

        // Its callbacks are user code, and must neither hold up nor fail who stops the handler.
        if (!_stopping.IsCancellationRequested)
            _ = _stopping.CancelAsync();
    }

    /// <summary>Lets the handler finish within its time, then stops it and waits for the running call.</summary>
    public Task DrainAndStopAsync()
    {
        _channel.End(ChannelEnd.Completed);
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
        using CancellationTokenSource late = new(Options.DrainTimeout, Owner.TimeProvider);
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, limit);
        await allIdle.WaitAsync(end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _channel.End(ChannelEnd.Completed);
        await Completion.WaitAsync(end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Completion.IsCompleted)
            return;
        Stop();
        await Completion.WaitAsync(limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ReportUnhandled();

        // Whoever disposes the bus must not wait for a call that has not even ended at the limit.
        Activity.Remove(this);
    }

    /// <summary>Says what was not handled, if anything was not; after <see cref="Stop"/>.</summary>
    public void ReportUnhandled()
    {
        long unhandled = Volatile.Read(ref _left) + _channel.Snapshot().Counts.Discarded + (Completion.IsCompleted ? 0 : InHand);
        if (unhandled > 0)
            Log.HandlerStopped(Owner.Logger, Name, _channel.Profile.ToString(), unhandled);
    }

    public string Describe() => $"handler of {_channel.Profile}: {_channel.Count} queued, {Volatile.Read(ref _busy)} running";

    /// <summary>Nothing: a handler works on what it has without being asked.</summary>
    Task IActivity.FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>From now on nothing waits for more to come.</summary>
    protected virtual void Hurry()
    {
    }

    /// <summary>Takes events and handles them until there are none and will be none.</summary>
    protected abstract Task RunLoopAsync();

    protected void AddLeft(int count) => Interlocked.Add(ref _left, count);

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
        await Completion.WaitAsync(Options.DrainTimeout, Owner.TimeProvider).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!Completion.IsCompleted)
        {
            Stop();
            await Completion.ConfigureAwait(false);
            ReportUnhandled();
        }

        disposal.SetResult();
    }

    private async Task RunAsync()
    {
        Current.Value = this;
        try
        {
            await RunLoopAsync().ConfigureAwait(false);
        }
        finally
        {
            Activity.Remove(this);
            _completion.SetResult();
        }
    }
}
