using EventBus;

namespace Samples.Bursts;

/// <summary>Works through a plan in waves: each is all that is ready, and the next begins when it is done.</summary>
internal sealed class Burst(
    string id, IEventPublisher bus, TimeProvider clock, WorkPlan plan, Func<WorkItem, Agent> hire, Tether tether)
{
    private int _waves;
    private int _succeeded;
    private int _failed;

    public async Task RunAsync()
    {
        bus.Publish(Topics.Burst, new BurstEvent.Started(id, plan.WaveCount, clock.GetUtcNow()));
        do
        {
            while (plan.TakeReady() is { Count: > 0 } wave)
                await RunWaveAsync(wave);

            // What the human still says may make corrections necessary, which are another wave.
            await tether.WhenSilentAsync();
            await SettleAsync();
        }
        while (plan.TakeReady() is { Count: > 0 } late && await RunWaveAsync(late));
        bus.Publish(Topics.Burst, new BurstEvent.Completed(id, _succeeded, _failed));
    }

    private async Task<bool> RunWaveAsync(IReadOnlyList<WorkItem> wave)
    {
        int number = ++_waves;
        long started = clock.GetTimestamp();
        bus.Publish(Topics.Broadcast, new MailEvent.BroadcastMessage(id, $"Wave {number}: {wave.Count} items", $"{id}-wave-{number}"));
        bool[] results = await Task.WhenAll(wave.Select(item => hire(item).WorkAsync()));
        int succeeded = results.Count(r => r);
        _succeeded += succeeded;
        _failed += results.Length - succeeded;
        bus.Publish(
            Topics.Burst,
            new BurstEvent.WaveCompleted(
                number, 1, wave.Count, succeeded, results.Length - succeeded, (long)clock.GetElapsedTime(started).TotalMilliseconds));
        await SettleAsync();
        return true;
    }

    /// <summary>A moment for subscribers to draw their conclusions.</summary>
    private Task SettleAsync() => Task.Delay(TimeSpan.FromSeconds(1), clock);
}
