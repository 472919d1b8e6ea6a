using System.Diagnostics;

namespace EventBus.Delivery;

/// <summary>An event taken out of a channel.</summary>
internal readonly record struct Taken<TEvent>(Envelope<TEvent> Envelope, EventOrigin Origin, bool IsReplayed)
{
    /// <summary>The event's runtime type; its static one if the event is a nullable value without a value.</summary>
    public Type EventType => Envelope.Event?.GetType() ?? typeof(TEvent);
}

/// <summary>
/// Events that a reader has taken out of a channel and not finished with: a handler holds them back for their topic, an observable for the
/// moment in which its last observer may leave. Guarded by the channel's lock.
/// </summary>
internal struct HeldEvents<TEvent>
{
    /// <summary>One that was given back: whoever reads next gets it. It counts as held until then.</summary>
    private Returned? _returned;

    /// <summary>How many came out of the queue, and still take up room there.</summary>
    public int Queued { get; private set; }

    /// <summary>How many came out of the replay.</summary>
    public int Replayed { get; private set; }

    /// <summary>How many of both are the bus's own.</summary>
    public int Own { get; private set; }

    public readonly int Count => Queued + Replayed;

    /// <summary>Whether one was given back.</summary>
    public readonly bool HasReturned => _returned is not null;

    public void Hold(EventOrigin origin, bool isReplayed) => Change(origin, isReplayed, 1);

    /// <summary>One is finished with.</summary>
    public void Release(in Taken<TEvent> taken) => Change(taken.Origin, taken.IsReplayed, -1);

    /// <summary>One is not going to be finished by who holds it.</summary>
    public void GiveBack(in Taken<TEvent> taken)
    {
        Debug.Assert(_returned is null, "One reader gives back one event at a time.");
        _returned = new Returned(taken);
    }

    /// <summary>The one that was given back.</summary>
    public readonly bool TryPeek(out Taken<TEvent> taken)
    {
        taken = _returned is null ? default : _returned.Taken;
        return _returned is not null;
    }

    /// <summary>Takes the one that was given back; it still counts as held.</summary>
    public Taken<TEvent> TakeReturned()
    {
        Taken<TEvent> taken = _returned!.Taken;
        _returned = null;
        return taken;
    }

    private void Change(EventOrigin origin, bool isReplayed, int by)
    {
        if (isReplayed)
            Replayed += by;
        else
            Queued += by;
        Own += origin.IsOwn ? by : 0;
    }

    /// <summary>A box, as there is seldom one.</summary>
    private sealed class Returned(Taken<TEvent> taken)
    {
        public Taken<TEvent> Taken { get; } = taken;
    }
}
