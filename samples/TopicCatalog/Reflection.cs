using EventBus;

namespace Samples.Bursts;

/// <summary>Looks back at a burst: what agents went through becomes advice for the next time.</summary>
internal sealed class Reflection
{
    private readonly IEventBus _bus;

    /// <summary>What failed and what succeeded, by burst; guarded by itself.</summary>
    private readonly Dictionary<string, List<(string Agent, AgentEvent End)>> _diaries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _summaries = new(StringComparer.Ordinal);
    private string? _current;

    public Reflection(IEventBus bus)
    {
        _bus = bus;
        bus.Handle<ITagged>(["burst:events", "agent:*"], Write);
    }

    /// <summary>Reflects on a burst that is over; a second time the result is known.</summary>
    public void Reflect(string burst)
    {
        if (_summaries.ContainsKey(burst))
        {
            _bus.Publish(Topics.ReflectionCached, new ReflectionEvent.Cached(burst));
            return;
        }

        _bus.Publish(Topics.ReflectionStarted, new ReflectionEvent.Started(burst));
        _bus.Publish(Topics.ReflectionExtracting, new ReflectionEvent.Extracting(burst));
        (string Agent, AgentEvent End)[] diary;
        lock (_diaries)
        {
            if (!_diaries.TryGetValue(burst, out List<(string Agent, AgentEvent End)>? entries))
            {
                _bus.Publish(Topics.ReflectionError, new ReflectionEvent.Error("extracting", $"There is no diary of {burst}."));
                return;
            }

            diary = [.. entries];
        }

        _bus.Publish(Topics.ReflectionProposing, new ReflectionEvent.Proposing(burst));
        IEnumerable<string> proposals =
            from entry in diary
            where entry.End is AgentEvent.Error
            select $"{entry.Agent}: {((AgentEvent.Error)entry.End).Reason}";
        _bus.Publish(Topics.ReflectionEvaluating, new ReflectionEvent.Evaluating(burst));
        string[] accepted = [.. proposals.Distinct()];
        _bus.Publish(Topics.ReflectionCurating, new ReflectionEvent.Curating(burst));
        string summary = $"{diary.Length} agents, {accepted.Length} lessons. {string.Join("; ", accepted)}".TrimEnd();
        _summaries.Add(burst, summary);
        _bus.Publish(Topics.ReflectionCompleted, new ReflectionEvent.Completed(burst, summary));
    }

    private ValueTask Write(Envelope<ITagged> envelope, CancellationToken cancellationToken)
    {
        lock (_diaries)
        {
            switch (envelope.Event)
            {
                case BurstEvent.Started started:
                    _current = started.BurstId;
                    _diaries[_current] = [];
                    break;
                case AgentEvent end and (AgentEvent.Done or AgentEvent.Error) when _current is not null:
                    _diaries[_current].Add((envelope.Topic["agent:".Length..], end));
                    break;
            }
        }

        return default;
    }
}
