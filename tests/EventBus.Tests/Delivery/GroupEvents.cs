namespace EventBus.Tests.Delivery;

/// <summary>What every event of these tests has.</summary>
internal interface INumbered
{
    int Number { get; }
}

/// <summary>An event of value type.</summary>
internal readonly record struct Tick(int Number) : INumbered;

/// <summary>Events of reference type, in a hierarchy.</summary>
internal abstract record Note(int Number) : INumbered
{
    public sealed record Line(int Number) : Note(Number);

    public sealed record Mark(int Number) : Note(Number);
}

/// <summary>What is published, and under which type the publisher knows it.</summary>
internal enum EventKind
{
    Tick,
    TickAsObject,
    Line,
    LineAsNote,
    LineAsObject,
    MarkAsNote,
}

/// <summary>What a subscription asks for.</summary>
internal enum WantedType
{
    Tick,
    Note,
    Line,
    Numbered,
    Object,
}

internal static class GroupEvents
{
    public static bool IsFor(this EventKind kind, WantedType wanted) => wanted switch
    {
        WantedType.Tick => kind is EventKind.Tick or EventKind.TickAsObject,
        WantedType.Note => kind is not (EventKind.Tick or EventKind.TickAsObject),
        WantedType.Line => kind is EventKind.Line or EventKind.LineAsNote or EventKind.LineAsObject,
        _ => true,
    };

    public static PublishResult Publish(this InProcessEventBus bus, string topic, EventKind kind, int number, Subscription? except) => kind switch
    {
        EventKind.Tick => bus.Publish(topic, new Tick(number), except),
        EventKind.TickAsObject => bus.Publish<object>(topic, new Tick(number), except),
        EventKind.Line => bus.Publish(topic, new Note.Line(number), except),
        EventKind.LineAsNote => bus.Publish<Note>(topic, new Note.Line(number), except),
        EventKind.LineAsObject => bus.Publish<object>(topic, new Note.Line(number), except),
        _ => bus.Publish<Note>(topic, new Note.Mark(number), except),
    };

    public static Task<PublishResult> PublishAsync(
        this InProcessEventBus bus, string topic, EventKind kind, int number, Subscription? except, CancellationToken cancel) => kind switch
        {
            EventKind.Tick => bus.PublishAsync(topic, new Tick(number), except, cancel).AsTask(),
            EventKind.TickAsObject => bus.PublishAsync<object>(topic, new Tick(number), except, cancel).AsTask(),
            EventKind.Line => bus.PublishAsync(topic, new Note.Line(number), except, cancel).AsTask(),
            EventKind.LineAsNote => bus.PublishAsync<Note>(topic, new Note.Line(number), except, cancel).AsTask(),
            EventKind.LineAsObject => bus.PublishAsync<object>(topic, new Note.Line(number), except, cancel).AsTask(),
            _ => bus.PublishAsync<Note>(topic, new Note.Mark(number), except, cancel).AsTask(),
        };
}
