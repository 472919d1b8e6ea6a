using System.Globalization;
using EventBus;

namespace Samples.Agents;

/// <summary>Prints every event, one line each, that begins with the event's tag.</summary>
internal sealed class EventLogger : IEventHandler<ITaggedEvent>
{
    public ValueTask HandleAsync(Envelope<ITaggedEvent> envelope, CancellationToken cancellationToken)
    {
        if (envelope.Missed > 0)
            Console.Error.WriteLine($"The log missed {envelope.Missed.ToString(CultureInfo.InvariantCulture)} events here.");
        Console.Out.WriteLine(Printable.OneLine($"{envelope.Event.Tag} {Describe(envelope.Event)}"));
        return default;
    }

    private static string Describe(ITaggedEvent @event) => @event switch
    {
        AgentEvent.TaskReceived e => $"{e.Agent} {e.File}",
        AgentEvent.TaskCompleted { Facts: var f } e => string.Create(
            CultureInfo.InvariantCulture, $"{e.Agent} lines={f.Lines} bytes={f.Bytes} sha256={f.Sha256} {f.File}"),
        AgentEvent.TaskFailed e => $"{e.Agent} {e.File}: {e.Reason}",
        AgentEvent e => $"{e.Agent} on {e.Node}",
        _ => @event.Node,
    };
}
