namespace EventBus.Testing;

/// <summary>A number that can be waited for. A wait ends when the number is reached, even if it falls again at once.</summary>
internal sealed class CountSignal
{
    /// <summary>Guards all; under it nothing else is called.</summary>
    private readonly Lock _gate = new();
    private readonly List<(int Count, TaskCompletionSource Reached)> _waits = [];
    private int _count;

    public void Set(int count)
    {
        lock (_gate)
        {
            _count = count;
            foreach ((int expected, TaskCompletionSource reached) in _waits)
            {
                if (count >= expected)
                    reached.TrySetResult();
            }
        }
    }

    /// <summary>Waits for a number, or a greater one.</summary>
    /// <returns>False if it was not reached in time.</returns>
    public async Task<bool> WaitAsync(int count, TimeSpan timeout)
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_count >= count)
                return true;
            _waits.Add((count, reached));
        }

        await reached.Task.WaitAsync(timeout).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_gate)
            _waits.Remove((count, reached));
        return reached.Task.IsCompleted;
    }
}
