using System.Diagnostics.CodeAnalysis;

namespace EventBus.Handling;

/// <summary>One event that waits for room in a write-behind's buffer.</summary>
/// <remarks>
/// It stands in the buffer's line until it is admitted, its token is cancelled or the buffer is closed. Whoever takes it out of
/// the line, under the buffer's lock, is the one that ends it: so it ends exactly once. Its continuations never run inline, so it
/// may be ended under the lock.
/// </remarks>
internal sealed class RoomWait<TEvent>(WriteBehindBuffer<TEvent> buffer, WriteBehindEntry<TEvent> entry)
    : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    where TEvent : notnull
{
    public WriteBehindEntry<TEvent> Entry { get; } = entry;

    /// <summary>Its place in the line; null once it was taken out. Belongs to the buffer's lock.</summary>
    public LinkedListNode<RoomWait<TEvent>>? Place { get; set; }

    /// <summary>Ends with the event buffered, or with an exception and the event not buffered.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        // Registered after it stands in the line, with no lock held: a token that is cancelled by now runs the callback here.
        using (cancellationToken.UnsafeRegister(static (state, token) => ((RoomWait<TEvent>)state!).Cancel(token), this))
            await Task.ConfigureAwait(false);
    }

    private void Cancel(CancellationToken cancellationToken)
    {
        if (buffer.TryLeaveLine(this))
            SetCanceled(cancellationToken);
    }
}

/// <summary>Those waiting for room, first come, first served; any of them can leave in O(1). Everything belongs to the buffer's lock.</summary>
internal sealed class RoomLine<TEvent>
    where TEvent : notnull
{
    private readonly LinkedList<RoomWait<TEvent>> _waits = new();

    public bool IsEmpty => _waits.Count == 0;

    public int Count => _waits.Count;

    /// <summary>The id of the first event in the line; greater than any if there is none.</summary>
    public long FirstId => _waits.First?.Value.Entry.Buffered.Id ?? long.MaxValue;

    public void Append(RoomWait<TEvent> wait) => wait.Place = _waits.AddLast(wait);

    /// <summary>Takes one out; false if it was taken out before.</summary>
    public bool TryRemove(RoomWait<TEvent> wait)
    {
        if (wait.Place is null)
            return false;
        _waits.Remove(wait.Place);
        wait.Place = null;
        return true;
    }

    public bool TryTakeFirst([NotNullWhen(true)] out RoomWait<TEvent>? wait)
    {
        wait = _waits.First?.Value;
        return wait is not null && TryRemove(wait);
    }
}
