using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EventBus.Delivery;

/// <summary>One queued event. Smaller than an envelope: topic and node are behind <see cref="Origin"/>.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct Slot<TEvent>
{
    public TEvent Event;
    public EventOrigin Origin;
    public long Sequence;
    public long PublishedAtTicks;

    /// <summary>The how-manieth event offered to its subscription this is; 0 for a replayed one, which was not offered.</summary>
    public long Ordinal;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fill(in TEvent @event, long ordinal, in Stamp stamp)
    {
        Event = @event;
        Origin = stamp.Origin;
        Sequence = stamp.Sequence;
        PublishedAtTicks = stamp.PublishedAtTicks;
        Ordinal = ordinal;
    }

    public readonly Envelope<TEvent> ToEnvelope(long missed) => new(Origin.Topic, Event)
    {
        Sequence = Sequence,
        PublishedAtTicks = PublishedAtTicks,
        Missed = missed,
        Node = Origin.Node,
    };
}
