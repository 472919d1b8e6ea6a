using System.Net.Sockets;
using System.Runtime.CompilerServices;
using EventBus;
using Npgsql;
using NpgsqlTypes;

namespace Samples.Experiments;

/// <summary>Keeps events in a table of PostgreSQL, whose key is the event's id: a batch that comes again is stored once.</summary>
internal sealed class PostgresStore(Settings settings) : IRunDataStore, IAsyncDisposable
{
    private NpgsqlDataSource? _database;

    public string Description => "the table run_data of PostgreSQL";

    private NpgsqlDataSource Database => _database ?? throw new InvalidOperationException("The store is not open.");

    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            _database = NpgsqlDataSource.Create(settings.ConnectionString!);

            // Two processes that create the same table at once would get in each other's way, "if not exists" or not.
            await using NpgsqlCommand create = _database.CreateCommand("""
                SELECT pg_advisory_xact_lock(7262017);
                CREATE TABLE IF NOT EXISTS run_data (
                    id bigint PRIMARY KEY,
                    topic text NOT NULL,
                    event jsonb NOT NULL,
                    created_at timestamptz NOT NULL);
                CREATE INDEX IF NOT EXISTS run_data_by_topic ON run_data (topic, id);
                """);
            await create.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is NpgsqlException or ArgumentException or SocketException or TimeoutException)
        {
            throw new StoreUnavailableException($"PostgreSQL cannot be used: {exception.Message}", exception);
        }
    }

    public async ValueTask AppendAsync(IReadOnlyList<BufferedEvent<RunData>> batch, CancellationToken cancellationToken)
    {
        // One statement: it is stored whole or not at all.
        await using NpgsqlCommand insert = Database.CreateCommand("""
            INSERT INTO run_data (id, topic, event, created_at)
            SELECT id, topic, event::jsonb, created_at FROM unnest($1, $2, $3, $4) AS batch (id, topic, event, created_at)
            ON CONFLICT (id) DO NOTHING
            """);
        insert.Parameters.Add(new() { Value = batch.Select(b => b.Id).ToArray() });
        insert.Parameters.Add(new() { Value = batch.Select(b => b.Topic).ToArray() });
        insert.Parameters.Add(new() { Value = batch.Select(b => RunDataJson.Write(b.Event)).ToArray() });
        insert.Parameters.Add(new()
        {
            Value = batch.Select(b => b.CreatedAt.UtcDateTime).ToArray(),
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.TimestampTz,
        });
        await insert.ExecuteNonQueryAsync(cancellationToken);
    }

    public async IAsyncEnumerable<StoredEvent> ReadAsync(
        IReadOnlyCollection<string> topics, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using NpgsqlCommand select = Database.CreateCommand(
            "SELECT id, topic, created_at, event::text FROM run_data WHERE topic = ANY($1) ORDER BY id");
        select.Parameters.Add(new() { Value = topics.ToArray() });
        await using NpgsqlDataReader reader = await select.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            yield return new StoredEvent(
                reader.GetInt64(0), reader.GetString(1), reader.GetFieldValue<DateTimeOffset>(2),
                RunDataJson.Read<RunData>(reader.GetString(3)));
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_database is not null)
            await _database.DisposeAsync();
    }
}
