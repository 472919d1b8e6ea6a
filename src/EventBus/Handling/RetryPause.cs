namespace EventBus.Handling;

/// <summary>The pause before a store that failed is tried again, which whoever is in a hurry cuts short.</summary>
/// <remarks>
/// <see cref="_gate"/> guards the fields that change. One at a time pauses. What comes after a pause never runs on the stack of whoever cuts it.
/// </remarks>
internal sealed class RetryPause(TimeProvider timeProvider)
{
    /// <summary>The longest pause while someone is in a hurry: short, and long enough for a store that is down.</summary>
    public static readonly TimeSpan Hurried = TimeSpan.FromMilliseconds(200);

    private readonly Lock _gate = new();

    /// <summary>How many are in a hurry.</summary>
    private int _hurries;
    private bool _isEnded;

    /// <summary>Ends the pause that is being made; null: none is.</summary>
    private TaskCompletionSource? _pause;

    /// <summary>Pauses, or not for that long.</summary>
    public async ValueTask WaitAsync(TimeSpan delay)
    {
        TaskCompletionSource pause = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_isEnded)
                return;
            if (_hurries > 0 && delay > Hurried)
                delay = Hurried;
            _pause = pause;
        }

        using ITimer timer = timeProvider.CreateTimer(
            static state => ((TaskCompletionSource)state!).TrySetResult(), pause, delay, Timeout.InfiniteTimeSpan);
        await pause.Task.ConfigureAwait(false);
    }

    /// <summary>Cuts the pause, and keeps all that follow short until <see cref="Relax"/>.</summary>
    public void Hurry() => Cut(isEnd: false);

    /// <summary>Takes one <see cref="Hurry"/> back.</summary>
    public void Relax()
    {
        lock (_gate)
            _hurries--;
    }

    /// <summary>Cuts the pause, and has no more of them.</summary>
    public void End() => Cut(isEnd: true);

    private void Cut(bool isEnd)
    {
        TaskCompletionSource? pause;
        lock (_gate)
        {
            _hurries++;
            _isEnded |= isEnd;
            pause = _pause;
        }

        pause?.TrySetResult();
    }
}
