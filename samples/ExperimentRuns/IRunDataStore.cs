using EventBus;

namespace Samples.Experiments;

/// <summary>Where logs and results are kept, and read again.</summary>
internal interface IRunDataStore : IEventStore<RunData>
{
    /// <summary>For the user.</summary>
    string Description { get; }

    /// <summary>Makes sure that it can be written to.</summary>
    /// <exception cref="StoreUnavailableException">It cannot.</exception>
    Task OpenAsync(CancellationToken cancellationToken);

    /// <summary>What is stored of some topics, in the order of ids.</summary>
    IAsyncEnumerable<StoredEvent> ReadAsync(IReadOnlyCollection<string> topics, CancellationToken cancellationToken);
}

/// <summary>An event as it is stored.</summary>
internal sealed record StoredEvent(long Id, string Topic, DateTimeOffset CreatedAt, RunData Event);

/// <summary>A store cannot be used. The message is for the user.</summary>
internal sealed class StoreUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
