namespace EventBus.Handling;

/// <summary>The time an attempt may take, and its token, which is cancelled when the time is over or the handler must stop.</summary>
/// <remarks>
/// It has a timer of its own instead of that of a token source, which would end the process when a callback of the handler's threw.
/// <see cref="_isOver"/> is set once, by the timer.
/// </remarks>
internal sealed class AttemptLimit : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly ITimer _timer;
    private volatile bool _isOver;

    public AttemptLimit(TimeSpan timeout, TimeProvider timeProvider, CancellationToken stopping)
    {
        _source = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        _timer = timeProvider.CreateTimer(static limit => _ = ((AttemptLimit)limit!).EndAsync(), this, timeout, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether the attempt has taken too long.</summary>
    public bool IsOver => _isOver;

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        _timer.Dispose();
        _source.Dispose();
    }

    private async Task EndAsync()
    {
        _isOver = true;
        try
        {
            await _source.CancelAsync().ConfigureAwait(false);
        }
        catch (Exception)
        {
            // A callback threw, or the attempt has just ended.
        }
    }
}
