namespace EventBus.Tests;

/// <summary>Reads what a subscription holds.</summary>
internal static class Reading
{
    /// <summary>All that can be read at once.</summary>
    public static List<Envelope<TEvent>> ReadQueued<TEvent>(this Subscription<TEvent> subscription)
        where TEvent : notnull
    {
        List<Envelope<TEvent>> read = [];
        while (subscription.Reader.TryRead(out Envelope<TEvent> envelope))
            read.Add(envelope);
        return read;
    }

    /// <summary>The events that can be read at once.</summary>
    public static TEvent[] ReadEvents<TEvent>(this Subscription<TEvent> subscription)
        where TEvent : notnull => [.. subscription.ReadQueued().Select(e => e.Event)];

    /// <summary>Each event that can be read at once, with the number of those missed before it.</summary>
    public static (TEvent Event, long Missed)[] ReadWithMissed<TEvent>(this Subscription<TEvent> subscription)
        where TEvent : notnull => [.. subscription.ReadQueued().Select(e => (e.Event, e.Missed))];

    /// <summary>The next event, waited for.</summary>
    public static async Task<TEvent> NextAsync<TEvent>(this Subscription<TEvent> subscription)
        where TEvent : notnull => (await subscription.Reader.ReadAsync().Soon()).Event;
}
