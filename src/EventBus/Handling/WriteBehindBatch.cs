using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace EventBus.Handling;

/// <summary>Events on their way through the store, and how far they are.</summary>
/// <remarks>
/// <para>The store is handed one part of it after the other, in order: the whole of it, until that failed too often; then ever smaller
/// halves, until the event is alone that the store refuses.</para>
/// <para><see cref="Start"/> and <see cref="End"/> are written under the buffer's lock, <see cref="Start"/> by the pump alone. All else
/// belongs to the pump; but while the part's fate is decided it does not change, and the buffer reads <see cref="PartCount"/> too.</para>
/// </remarks>
internal sealed class WriteBehindBatch<TEvent>(BufferedEvent<TEvent>[] events, StrongBox<ActivityContext>?[]? publishers)
    where TEvent : notnull
{
    /// <summary>The parts after the present one, the next one on top: how long each is, and how often it failed within a greater one.</summary>
    private readonly Stack<(int Count, int Failures)> _later = new();

    /// <summary>The present part, made when it is asked for: so going on to it cannot fail halfway.</summary>
    private IReadOnlyList<BufferedEvent<TEvent>>? _part = events;

    /// <summary>How often this very part failed.</summary>
    private int _failuresOfPart;

    /// <summary>The first event that is not done.</summary>
    public int Start { get; private set; }

    /// <summary>Where it ends: earlier than it did once the rest is given up.</summary>
    public int End { get; private set; } = events.Length;

    /// <summary>How many events the store is to be handed next.</summary>
    public int PartCount { get; private set; } = events.Length;

    /// <summary>The events that the store is to be handed next. The store may keep the list, so it never changes.</summary>
    public IReadOnlyList<BufferedEvent<TEvent>> Part => _part ??= new ArraySegment<BufferedEvent<TEvent>>(events, Start, PartCount);

    /// <summary>How often the store failed on any part of the batch.</summary>
    public int Failures { get; private set; }

    /// <summary>How often the store failed on a part that these events were in.</summary>
    public int FailuresWithPart { get; private set; }

    /// <summary>The next event to broadcast.</summary>
    public int NextToBroadcast { get; set; }

    /// <summary>Whether nothing comes after the part.</summary>
    public bool IsLastPart => _later.Count == 0;

    public ref readonly BufferedEvent<TEvent> this[int index] => ref events[index];

    public StrongBox<ActivityContext>? PublisherOf(int index) => publishers?[index];

    /// <summary>Notes that the store failed on the part.</summary>
    /// <returns>How often it failed on this very part.</returns>
    public int AddFailure()
    {
        Failures++;
        FailuresWithPart++;
        return ++_failuresOfPart;
    }

    /// <summary>Whether the store is to be handed the same part again.</summary>
    /// <param name="maxAttempts">
    /// How often it may fail on the whole batch, and again on an event that is alone; what lies between is tried once. 0: for ever.
    /// </param>
    public bool MayTryAgain(int maxAttempts) =>
        maxAttempts == 0 || _failuresOfPart < (PartCount > 1 && PartCount < events.Length ? 1 : maxAttempts);

    /// <summary>Goes on with the first half of the part; false if it is one event.</summary>
    public bool TryHalve()
    {
        if (PartCount == 1)
            return false;
        int half = PartCount / 2;
        _later.Push((PartCount - half, FailuresWithPart));
        TakePart(half);
        return true;
    }

    /// <summary>Goes on after the part, which is done; under the buffer's lock.</summary>
    /// <returns>False if that was the last one.</returns>
    public bool MoveNext()
    {
        Start += PartCount;
        if (Start == End)
            return false;
        (int count, FailuresWithPart) = _later.Pop();
        TakePart(count);
        return true;
    }

    /// <summary>Gives up all that comes after the part; under the buffer's lock.</summary>
    public void EndAfterPart() => End = Start + PartCount;

    private void TakePart(int count)
    {
        PartCount = count;
        _part = null;
        _failuresOfPart = 0;
    }
}
