using Npgsql;
using Samples.Experiments;

namespace EventBus.Tests.Samples;

public sealed class ExperimentRunsPostgresTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    [PostgresFact]
    public async Task ExperimentRuns_IntoPostgres_HoldsWhatWasBroadcastAndNoProgress()
    {
        long before = await CountAsync("true");

        SampleResult result = await SampleRunner.RunAsync("ExperimentRuns", "--postgres", server.ConnectionString);

        ExperimentRunsTests.AssertAllIsRight(result);
        (await CountAsync("true") - before).Should().Be(ExperimentRunsTests.RowsOf(result));
        (await CountAsync("event->>'type' NOT IN ('run_log', 'run_logs', 'run_result', 'run_results')")).Should().Be(0);
    }

    [PostgresFact]
    public async Task ExperimentRuns_ConnectionStringFromTheEnvironment_IsUsed()
    {
        await using SampleProcess process = SampleRunner.Start(
            "ExperimentRuns", environment: new Dictionary<string, string> { ["ConnectionStrings__Experiments"] = server.ConnectionString });

        SampleResult result = await process.WaitForExitAsync();

        ExperimentRunsTests.AssertAllIsRight(result);
        result.Output.Should().Contain("Logs and results go to the table run_data of PostgreSQL.");
    }

    [PostgresFact]
    public async Task PostgresStore_BatchThatComesAgain_StoresItOnce()
    {
        await using PostgresStore store = new(new Settings(server.ConnectionString, "", IsUntilStopped: false));

        await ExperimentRunsTests.AssertStoresOnceAsync(store);
    }

    private async Task<long> CountAsync(string condition)
    {
        // Opening makes the table, if this test is the first.
        await using PostgresStore store = new(new Settings(server.ConnectionString, "", IsUntilStopped: false));
        await store.OpenAsync(CancellationToken.None);
        await using NpgsqlDataSource database = NpgsqlDataSource.Create(server.ConnectionString);
        await using NpgsqlCommand count = database.CreateCommand($"SELECT count(*) FROM run_data WHERE {condition}");
        return (long)(await count.ExecuteScalarAsync())!;
    }
}
