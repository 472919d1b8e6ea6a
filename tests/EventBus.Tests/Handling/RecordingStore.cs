using System.Collections.Concurrent;
using System.Threading.Channels;

namespace EventBus.Tests.Handling;

/// <summary>A store in memory that can fail, hold up its caller, and tell when it was called.</summary>
internal sealed class RecordingStore<TEvent> : IEventStore<TEvent>
    where TEvent : notnull
{
    private readonly ConcurrentQueue<IReadOnlyList<BufferedEvent<TEvent>>> _calls = new();
    private readonly ConcurrentQueue<IReadOnlyList<BufferedEvent<TEvent>>> _stored = new();
    private readonly Channel<CancellationToken> _begun = Channel.CreateUnbounded<CancellationToken>();
    private int _running;

    /// <summary>What a call does before it stores, given its number from 1 on; what it throws is the call's failure.</summary>
    public Func<int, CancellationToken, ValueTask>? OnAppend { get; set; }

    /// <summary>What a call does with its batch before that; what it throws is the call's failure.</summary>
    public Action<IReadOnlyList<BufferedEvent<TEvent>>>? OnBatch { get; set; }

    /// <summary>The batch of every call.</summary>
    public IReadOnlyList<IReadOnlyList<BufferedEvent<TEvent>>> Calls => [.. _calls];

    /// <summary>The batch of every call that succeeded.</summary>
    public IReadOnlyList<IReadOnlyList<BufferedEvent<TEvent>>> Batches => [.. _stored];

    /// <summary>All that is stored, in order.</summary>
    public IReadOnlyList<BufferedEvent<TEvent>> Stored => [.. _stored.SelectMany(b => b)];

    public IEnumerable<TEvent> Events => Stored.Select(b => b.Event);

    /// <summary>Whether two calls ever ran at once.</summary>
    public bool HasOverlapped { get; private set; }

    /// <summary>The token of the next call that was not awaited yet.</summary>
    public Task<CancellationToken> NextCallAsync() => _begun.Reader.ReadAsync().Soon();

    public async ValueTask AppendAsync(IReadOnlyList<BufferedEvent<TEvent>> batch, CancellationToken cancellationToken)
    {
        HasOverlapped |= Interlocked.Increment(ref _running) > 1;
        try
        {
            _calls.Enqueue(batch);
            _begun.Writer.TryWrite(cancellationToken);
            OnBatch?.Invoke(batch);
            if (OnAppend is not null)
                await OnAppend(_calls.Count, cancellationToken);
            _stored.Enqueue(batch);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    /// <summary>Has the first so many calls fail.</summary>
    public void FailFirst(int calls) => OnAppend = (call, _) =>
        call <= calls ? throw new IOException($"The store is down at call {call}.") : ValueTask.CompletedTask;

    /// <summary>Has every call fail that is handed one of some events.</summary>
    public void Refuse(params TEvent[] refused) => OnBatch = batch =>
    {
        foreach (BufferedEvent<TEvent> buffered in batch)
        {
            if (refused.Contains(buffered.Event))
                throw new IOException($"{buffered.Event} is refused.");
        }
    };

    /// <summary>Has every call wait until the returned source is completed; not for its token.</summary>
    public TaskCompletionSource HoldUp()
    {
        TaskCompletionSource gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        OnAppend = (_, _) => new ValueTask(gate.Task);
        return gate;
    }
}
