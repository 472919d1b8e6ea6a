namespace EventBus.Delivery;

/// <summary>A piece of a <see cref="SlotBuffer{TEvent}"/>: alone at first, a ring of one.</summary>
internal sealed class SlotSegment<TEvent> : IChained<SlotSegment<TEvent>>
{
    public SlotSegment(int length)
    {
        Slots = new Slot<TEvent>[length];
        Next = Previous = this;
    }

    public Slot<TEvent>[] Slots { get; }

    /// <summary>Neighbours in the ring.</summary>
    public SlotSegment<TEvent> Next { get; private set; }

    public SlotSegment<TEvent> Previous { get; private set; }

    /// <summary>The next one outside of any ring.</summary>
    public SlotSegment<TEvent>? Chained { get; set; }

    /// <summary>Makes another one follow this one.</summary>
    public void Link(SlotSegment<TEvent> next)
    {
        Next = next;
        next.Previous = this;
    }

    /// <summary>Makes the neighbours neighbours of each other.</summary>
    public void LeaveRing()
    {
        Previous.Link(Next);
        Next = Previous = this;
    }
}
