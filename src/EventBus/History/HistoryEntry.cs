using System.Runtime.InteropServices;
using EventBus.Delivery;

namespace EventBus.History;

/// <summary>One event in a topic's history.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct HistoryEntry(object Event, EventOrigin Origin, long Sequence, long PublishedAtTicks);

/// <summary>A piece of a topic's history. Entries are written once, in order, unless the piece is used again.</summary>
internal sealed class HistorySegment(int length)
{
    public HistoryEntry[] Entries { get; } = new HistoryEntry[length];

    /// <summary>Whether a cut refers to it: then nothing in it is cleared, and it is not used again. Guarded by the history's lock.</summary>
    public bool IsShared { get; set; }
}

/// <summary>
/// A topic's history at one moment. It refers to the segments instead of copying their entries; those it refers to do not
/// change any more, so it can be read without a lock.
/// </summary>
/// <param name="Segments">The segments, oldest first.</param>
/// <param name="Start">Where the oldest entry stands in the first.</param>
/// <param name="Count">How many entries there are.</param>
internal readonly record struct HistoryCut(HistorySegment?[] Segments, int Start, int Count);
