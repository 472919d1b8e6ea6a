using System.Runtime.InteropServices;
using EventBus.Delivery;

namespace EventBus.History;

/// <summary>One event in a topic's history.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct HistoryEntry(object Event, EventOrigin Origin, long Sequence, long PublishedAtTicks);

/// <summary>A piece of a topic's history. Entries are written once, in order, unless the piece is used again.</summary>
internal sealed class HistorySegment
{
    public HistorySegment(int length)
    {
        Allocation.Begin();
        Entries = new HistoryEntry[length];
    }

    public HistoryEntry[] Entries { get; }

    /// <summary>Whether a cut refers to it: then nothing in it is cleared, and it is not used again. Guarded by the history's lock.</summary>
    public bool IsShared { get; set; }
}

/// <summary>Called before history takes memory for an event, so that a test can have it fail there.</summary>
internal static class Allocation
{
    /// <summary>What a test has happen instead on its own thread.</summary>
    [ThreadStatic]
    private static Action? _begin;

    public static Action? OnBegin
    {
        set => _begin = value;
    }

    public static void Begin() => _begin?.Invoke();
}
