using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using EventBus;

namespace Samples.Experiments;

/// <summary>Appends events to a file, one JSON document a line, in the order of their ids.</summary>
/// <remarks>
/// Used by one process at a time, and by the write-behind one call at a time. A line that a crash cut short is removed before the next
/// is written, and an id up to the last one in the file is ignored: a batch that comes again is stored once.
/// </remarks>
internal sealed class JsonLinesStore(Settings settings) : IRunDataStore, IAsyncDisposable
{
    /// <summary>How every line begins.</summary>
    private const string LineStart = $"{{\"{nameof(StoredEvent.Id)}\":";
    private FileStream? _file;

    /// <summary>The greatest id in the file; null: to be found out, because a write may have failed in the middle.</summary>
    private long? _lastId;

    public string Description => $"the file {settings.File}";

    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            _file = new FileStream(settings.File, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
            _lastId = await RepairAsync(_file, cancellationToken);
        }
        catch (JsonException exception)
        {
            throw new StoreUnavailableException($"The file \"{settings.File}\" has a line that is no event of this program.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new StoreUnavailableException($"The file \"{settings.File}\" cannot be written: {exception.Message}", exception);
        }
    }

    public async ValueTask AppendAsync(IReadOnlyList<BufferedEvent<RunData>> batch, CancellationToken cancellationToken)
    {
        FileStream file = _file ?? throw new InvalidOperationException("The store is not open.");
        long lastId = _lastId ?? await RepairAsync(file, cancellationToken);
        using MemoryStream lines = new();
        foreach (BufferedEvent<RunData> buffered in batch.Where(b => b.Id > lastId))
        {
            string line = RunDataJson.Write(new StoredEvent(buffered.Id, buffered.Topic, buffered.CreatedAt, buffered.Event));
            lines.Write(Encoding.UTF8.GetBytes(line + '\n'));
        }

        _lastId = null;
        file.Seek(0, SeekOrigin.End);
        lines.WriteTo(file);
        file.Flush(flushToDisk: true);
        _lastId = Math.Max(lastId, batch[^1].Id);
    }

    public async IAsyncEnumerable<StoredEvent> ReadAsync(
        IReadOnlyCollection<string> topics, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using FileStream file = new(settings.File, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using StreamReader reader = new(file, Encoding.UTF8);
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            StoredEvent stored = RunDataJson.Read<StoredEvent>(line);
            if (topics.Contains(stored.Topic))
                yield return stored;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_file is not null)
            await _file.DisposeAsync();
    }

    /// <summary>Removes a last line that has no end, and finds the last id.</summary>
    private static async Task<long> RepairAsync(FileStream file, CancellationToken cancellationToken)
    {
        long end = file.Length;
        for (bool isWhole = false; end > 0 && !isWhole; end -= isWhole ? 0 : 1)
        {
            file.Position = end - 1;
            isWhole = file.ReadByte() == '\n';
        }

        file.Position = 0;
        long lastId = 0;
        bool isCut = end < file.Length;
        using StreamReader reader = new(file, Encoding.UTF8, leaveOpen: true);
        for (string? line = await reader.ReadLineAsync(cancellationToken); line is not null;)
        {
            string? next = await reader.ReadLineAsync(cancellationToken);
            if (next is not null || !isCut)
                lastId = Math.Max(lastId, RunDataJson.Read<StoredEvent>(line).Id);
            else if (!line.StartsWith(LineStart, StringComparison.Ordinal) && !LineStart.StartsWith(line, StringComparison.Ordinal))
                throw new JsonException("The last line has no end, and is none of this program's.");
            line = next;
        }

        file.SetLength(end);
        return lastId;
    }
}
