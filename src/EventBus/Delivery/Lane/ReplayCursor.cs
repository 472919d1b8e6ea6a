namespace EventBus.Delivery;

/// <summary>What history hands to a new subscription before live events. Guarded by the channel's lock once it is attached.</summary>
internal abstract class ReplayCursor<TEvent>
{
    /// <summary>The events still to come.</summary>
    public abstract int Remaining { get; }

    /// <summary>The next event, without taking it. Only called while some remain.</summary>
    public abstract void Peek(out Slot<TEvent> slot);

    /// <summary>Takes the next event. Only called while some remain.</summary>
    public abstract void Read(out Slot<TEvent> slot);
}
