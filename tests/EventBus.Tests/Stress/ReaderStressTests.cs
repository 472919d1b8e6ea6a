namespace EventBus.Tests.Stress;

/// <summary>
/// Readers who take one event each, some of them cancelled, and observers who come and go, while a publisher waits for room: nobody is left asleep
/// while anything is queued, and no event goes to two or to none.
/// </summary>
public sealed class ReaderStressTests : IDisposable
{
    private const int Rounds = 2500;
    private readonly InProcessEventBus _bus = new();

    public void Dispose() => _bus.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Readers_WhoComeAndGo_AreNeverLeftAsleepWhileSomethingIsQueued(int seed)
    {
        Random random = new(seed);
        for (int round = 0; round < Rounds; round++)
            await RunAsync(round, random);
    }

    private async Task RunAsync(int round, Random random)
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t", new() { Capacity = random.Next(1, 4), WaitTimeout = HangGuard.Limit });
        using CancellationTokenSource cancel = new();
        Counter observed = new();
        Task<Envelope<int>>[] staying = new Task<Envelope<int>>[random.Next(1, 4)], leaving = new Task<Envelope<int>>[random.Next(3)];
        IDisposable? observer = random.Next(2) == 0 ? subscription.AsObservable().Subscribe(observed) : null;
        for (int i = 0; i < leaving.Length; i++)
            leaving[i] = subscription.Reader.ReadAsync(cancel.Token).AsTask();
        for (int i = 0; i < staying.Length; i++)
            staying[i] = subscription.Reader.ReadAsync().AsTask();
        int events = random.Next(1, 6), waits = random.Next(64), spins = random.Next(200);

        List<Task<PublishResult>> published = [];
        Task publishing = Task.Run(() =>
        {
            for (int i = 0; i < events; i++)
                published.Add((waits >> i & 1) == 0 ? Task.FromResult(_bus.Publish("t", i)) : _bus.PublishAsync("t", i).AsTask());
        });
        Thread.SpinWait(spins);
        await cancel.CancelAsync();
        observer?.Dispose();
        await publishing.Soon();
        foreach (Task<Envelope<int>> one in leaving)
            await one.ContinueWith(static _ => { }, TaskScheduler.Default).Soon();

        using CancellationTokenSource limit = new(HangGuard.Limit);
        while (subscription.Count > 0 && !Array.TrueForAll(staying, r => r.IsCompleted))
        {
            limit.IsCancellationRequested.Should().BeFalse($"in round {round} {subscription.Count} events should not wait beside waiting readers");
            await Task.Yield();
        }

        int rest = 0;
        while (subscription.Count > 0)
        {
            // One that an observer's pump took last is given back in a moment.
            if (subscription.Reader.TryRead(out _))
                rest++;
            else
                await Task.Yield();
        }

        long dropped = (await Task.WhenAll(published).Soon()).Sum(r => (long)r.Dropped);
        await subscription.DrainAsync().Soon();
        foreach (Task<Envelope<int>> one in staying)
            await one.ContinueWith(static _ => { }, TaskScheduler.Default).Soon();
        long read = staying.Concat(leaving).Count(r => r.IsCompletedSuccessfully) + rest + dropped;

        // An event counts as delivered just before the observer is called.
        while (read + observed.Count < events)
        {
            limit.IsCancellationRequested.Should().BeFalse($"no event should be lost, also not in round {round}");
            await Task.Yield();
        }

        (read + observed.Count).Should().Be(events, $"each event has one fate, in round {round}, too");
    }

    private sealed class Counter : IObserver<Envelope<int>>
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public void OnNext(Envelope<int> value) => Interlocked.Increment(ref _count);

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }
    }
}
