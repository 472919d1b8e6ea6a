namespace EventBus.Handling;

/// <summary>A time-out that guards against hanging: kept on the bus's clock and in real time, whichever is over first.</summary>
/// <remarks>So a fake clock that nobody turns any more, because an assertion failed, does not hang a test that disposes its bus.</remarks>
internal sealed class DrainLimit : IDisposable
{
    private readonly CancellationTokenSource _byClock;
    private readonly CancellationTokenSource? _inRealTime;
    private readonly CancellationTokenSource _over;

    /// <summary>Begins.</summary>
    /// <param name="timeout">How long it lasts; 0 or more.</param>
    /// <param name="timeProvider">The bus's clock.</param>
    /// <param name="cancellationToken">Ends it before its time: the limit of whoever stops the bus.</param>
    public DrainLimit(TimeSpan timeout, TimeProvider timeProvider, CancellationToken cancellationToken = default)
    {
        _byClock = new CancellationTokenSource(timeout, timeProvider);
        _inRealTime = timeProvider == TimeProvider.System ? null : new CancellationTokenSource(timeout);
        _over = CancellationTokenSource.CreateLinkedTokenSource(_byClock.Token, _inRealTime?.Token ?? default, cancellationToken);
    }

    /// <summary>Cancelled when the time is over.</summary>
    public CancellationToken Token => _over.Token;

    public void Dispose()
    {
        _over.Dispose();
        _byClock.Dispose();
        _inRealTime?.Dispose();
    }
}
