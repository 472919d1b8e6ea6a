using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Handling;

public sealed class WriteBehindHangTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Store_ThatHangs_IsLoggedOnceForACallWithItsDuration()
    {
        await using WriteBehindFixture fixture = new(o => (o.MaxBatchSize, o.DrainTimeout) = (2, TimeSpan.FromHours(1)));
        TaskCompletionSource gate = fixture.Store.HoldUp();
        fixture.Publish("a", "b", "c");
        await fixture.Store.NextCallAsync();

        fixture.Clock.Advance(Patience - TimeSpan.FromTicks(1));
        fixture.Log.Lines.Should().BeEmpty();
        fixture.Clock.Advance(TimeSpan.FromTicks(1));
        LogLine line = await fixture.Log.NextAsync();
        fixture.Clock.Advance(TimeSpan.FromHours(1));

        line.Should().BeEquivalentTo(new { Level = LogLevel.Warning, Id = 26 });
        line.Message.Should().Be(
            "The store of String has been appending a batch of 2 for 00:00:30. Until it returns nothing else is stored or broadcast; " +
            "3 event(s) are buffered.");
        fixture.Log.Lines.Should().ContainSingle("it is one call");
        gate.SetResult();
    }

    [Fact]
    public async Task Store_ThatBlocksItsCaller_IsLogged()
    {
        await using WriteBehindFixture fixture = new();
        using ManualResetEventSlim gate = new();
        fixture.Store.OnAppend = (_, _) =>
        {
            gate.Wait(CancellationToken.None);
            return default;
        };
        fixture.Publish("a");
        Task flushed = fixture.WriteBehind.FlushAsync().AsTask();
        await fixture.Store.NextCallAsync();

        fixture.Clock.Advance(Patience);

        (await fixture.Log.NextAsync()).Id.Should().Be(26);
        gate.Set();
        await flushed.Soon();
    }

    [Fact]
    public async Task Store_ThatHangsAgain_IsLoggedAgain()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxBatchSize = 1);
        for (int call = 1; call <= 2; call++)
        {
            TaskCompletionSource gate = fixture.Store.HoldUp();
            fixture.Publish("a");
            await fixture.Store.NextCallAsync();
            fixture.Clock.Advance(Patience);
            (await fixture.Log.NextAsync()).Id.Should().Be(26);
            gate.SetResult();
            await fixture.WriteBehind.FlushAsync().Soon();
        }
    }
}
