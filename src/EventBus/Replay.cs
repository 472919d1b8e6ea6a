using System.Runtime.InteropServices;

namespace EventBus;

/// <summary>How much of the history a new subscription is handed before live events.</summary>
/// <remarks>
/// History exists for topics under a rule (<see cref="EventBusOptions.KeepHistory"/>); for other topics every value is the
/// same as <see cref="None"/>. Replay and live events join without a gap, a duplicate or a reordering.
/// </remarks>
[StructLayout(LayoutKind.Auto)]
public readonly record struct Replay
{
    private Replay(ReplayKind kind, long value)
    {
        Kind = kind;
        Value = value;
    }

    /// <summary>No history: live events only. The default.</summary>
    public static Replay None => default;

    /// <summary>Everything that history still holds.</summary>
    public static Replay All => new(ReplayKind.All, 0);

    internal ReplayKind Kind { get; }

    internal long Value { get; }

    /// <summary>The last <paramref name="count"/> events of the subscription's type, over all topics it listens to.</summary>
    /// <param name="count">How many; 0 or more.</param>
    /// <returns>The replay.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is negative.</exception>
    public static Replay Last(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return new(ReplayKind.Last, count);
    }

    /// <summary>
    /// Everything after a position, normally the <see cref="Envelope{TEvent}.Sequence"/> of the last event seen before a
    /// break. A position that this bus did not issue (from before a restart, say) replays all there is.
    /// </summary>
    /// <param name="sequence">The position; 0 or more. The event at the position itself is not replayed.</param>
    /// <returns>The replay.</returns>
    /// <remarks><see cref="Subscription.ReplayTruncated"/> tells whether history may no longer have reached back so far.</remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="sequence"/> is negative.</exception>
    public static Replay After(long sequence)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        return new(ReplayKind.After, sequence);
    }

    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        ReplayKind.Last => $"Last({Value})",
        ReplayKind.After => $"After({Value})",
        _ => Kind.ToString(),
    };
}

internal enum ReplayKind
{
    None,
    All,
    Last,
    After,
}
