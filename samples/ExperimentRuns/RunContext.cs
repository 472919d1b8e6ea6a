using EventBus;

namespace Samples.Experiments;

/// <summary>What an experiment is handed to tell how it goes.</summary>
internal sealed class RunContext(string runId, IEventPublisher publisher, WriteBehindPublisher<RunData> data, TimeProvider timeProvider)
{
    private readonly Topic<ExperimentEvent> _topic = Topics.Run(runId);

    /// <summary>Logs what is said in one call as one event; waits for room if the store cannot keep up.</summary>
    public ValueTask LogAsync(params IReadOnlyList<string> messages)
    {
        LogEntry[] entries = [.. messages.Select(m => new LogEntry(timeProvider.GetUtcNow(), "info", m))];
        return StoreAsync(entries is [var only] ? new RunData.Log(runId, only) : new RunData.Logs(runId, entries));
    }

    /// <summary>Hands in what was found, as one event; waits for room if the store cannot keep up.</summary>
    public ValueTask AddResultsAsync(params IReadOnlyList<Estimate> found) =>
        StoreAsync(found is [var only] ? new RunData.Result(runId, only) : new RunData.Results(runId, found));

    /// <summary>Tells how far it is: to whoever looks now, and nobody else.</summary>
    public void Report(long current, long total, string message) =>
        publisher.Publish(_topic, new RunProgress(runId, current, total, message));

    private ValueTask StoreAsync(RunData item) => data.PublishAsync(_topic.Name, item);
}
