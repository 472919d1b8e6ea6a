namespace EventBus.Handling;

/// <summary>Those who wait until all events up to one are stored and broadcast.</summary>
/// <remarks>
/// Everything belongs to the lock of the buffer it is for. Continuations never run inline, so waits may be ended under it.
/// </remarks>
internal sealed class FlushWaits
{
    /// <summary>By the last id that each waits for, which grows.</summary>
    private readonly List<(long LastId, TaskCompletionSource Done)> _waits = [];

    /// <summary>The wait for an event and all before it. Flushes up to the same event share one, so there are never more than events.</summary>
    public Task For(long lastId)
    {
        if (_waits.Count == 0 || _waits[^1].LastId != lastId)
            _waits.Add((lastId, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)));
        return _waits[^1].Done.Task;
    }

    /// <summary>Ends those that wait for nothing from an id on.</summary>
    public void EndBefore(long oldestId)
    {
        int done = 0;
        for (; done < _waits.Count && _waits[done].LastId < oldestId; done++)
            _waits[done].Done.SetResult();
        _waits.RemoveRange(0, done);
    }

    /// <summary>Fails those that wait for anything after an id.</summary>
    public void FailAfter(long lastKeptId, Func<Exception> failure)
    {
        int kept = _waits.Count;
        for (; kept > 0 && _waits[kept - 1].LastId > lastKeptId; kept--)
        {
            _waits[kept - 1].Done.SetException(failure());

            // Looked at, because whoever waited may have cancelled and gone.
            _ = _waits[kept - 1].Done.Task.Exception;
        }

        _waits.RemoveRange(kept, _waits.Count - kept);
    }
}
