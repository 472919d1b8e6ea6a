using System.Threading.Channels;

namespace EventBus.Tests.Delivery;

/// <summary>Readers of one subscription compete for its events.</summary>
public sealed class CompetingReadersTests : IAsyncDisposable
{
    private readonly InProcessEventBus _bus = new();
    private readonly Subscription<int> _subscription;

    public CompetingReadersTests() => _subscription = _bus.Subscribe<int>("t");

    public ValueTask DisposeAsync() => _bus.DisposeAsync();

    [Fact]
    public void Event_WakesOneOfThoseWhoTakeIt_AndAllWhoOnlyWaitToBeTold()
    {
        ValueTask<bool>[] takers = [.. Enumerable.Range(0, 3).Select(_ => Wait(takes: true))];
        ValueTask<bool>[] watchers = [.. Enumerable.Range(0, 3).Select(_ => Wait(takes: false))];

        _bus.Publish("t", 1);

        takers.Select(t => t.IsCompleted).Should().Equal([true, false, false], "one event is for one reader, who waited longest");
        watchers.Should().OnlyContain(w => w.IsCompleted);

        _bus.Publish("t", 2);
        takers.Select(t => t.IsCompleted).Should().Equal(true, true, false);
        _bus.Complete("t");
        takers.Should().OnlyContain(t => t.IsCompleted);
    }

    [Fact]
    public async Task Read_ThatLetsAWaitingPublisherIn_WakesTheNextReader()
    {
        using Subscription<int> one = _bus.Subscribe<int>("one", new() { Capacity = 1 });
        ValueTask<bool> first = Wait(one), second = Wait(one);
        _bus.Publish("one", 1);
        Task<PublishResult> publishing = _bus.PublishAsync("one", 2).AsTask();
        (first.IsCompleted, second.IsCompleted, publishing.IsCompleted).Should().Be((true, false, false));

        one.Reader.TryRead(out Envelope<int> read).Should().BeTrue();

        read.Event.Should().Be(1);
        (await publishing.Soon()).Should().Be(new PublishResult(1, 0));
        second.IsCompleted.Should().BeTrue("an event is queued, and the first reader has had its own");
        one.ReadEvents().Should().Equal(2);
    }

    [Fact]
    public async Task Observer_LeavingWhenItsPumpWasTold_LeavesNoOtherReaderAsleep()
    {
        IObservable<Envelope<int>> observable = _subscription.AsObservable();
        for (int i = 0; i < 2000; i++)
        {
            TaskCompletionSource<int> first = new(), second = new();
            TaskCompletionSource<int>[] told = [first, second];
            IDisposable attached = observable.Subscribe(new Observer(e => told[e % 2].TrySetResult(e)));
            _bus.Publish("t", 0);
            await first.Task.Soon();
            await Task.Yield();
            Task<Envelope<int>> read = _subscription.Reader.ReadAsync().AsTask();

            _bus.Publish("t", 1);
            attached.Dispose();

            Task got = await Task.WhenAny(read, second.Task).Soon();
            if (got == second.Task)
                _bus.Publish("t", 2);
            await read.Soon();
        }
    }

    [Fact]
    public async Task Readers_OfEveryKind_GetEachEventOnceAndAllEnd()
    {
        const int Events = 20_000;
        int[] seen = new int[Events];
        using Subscription<int> many = _bus.Subscribe<int>("many", new() { Capacity = Events });
        Task[] readers = [.. Enumerable.Range(0, 8).Select(i => Task.Run(() => ReadAsync(many.Reader, i, seen)))];

        for (int i = 0; i < Events; i++)
        {
            _bus.Publish("many", i);
            if (i % 7 == 0)
                await Task.Yield();
        }

        _bus.Complete("many");
        await Task.WhenAll(readers).Soon();
        seen.Should().OnlyContain(count => count == 1);
    }

    [Fact]
    public async Task CancelledReads_InABurst_LeaveTheOthersAndTheirOrder()
    {
        const int Readers = 20_000;
        using CancellationTokenSource cancel = new();
        Task<bool>[] cancelled = new Task<bool>[Readers];
        Task<Envelope<int>>[] staying = new Task<Envelope<int>>[10];
        for (int i = 0; i < Readers; i++)
        {
            cancelled[i] = _subscription.Reader.WaitToReadAsync(cancel.Token).AsTask();
            if (i % (Readers / staying.Length) == 0)
                staying[i / (Readers / staying.Length)] = _subscription.Reader.ReadAsync().AsTask();
        }

        await cancel.CancelAsync();
        for (int i = 0; i < staying.Length; i++)
            _bus.Publish("t", i);

        (await Task.WhenAll(staying).Soon()).Select(e => e.Event).Should().BeEquivalentTo(Enumerable.Range(0, staying.Length));
        foreach (Task<bool> wait in cancelled)
            await FluentActions.Awaiting(() => wait.Soon()).Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task ReadAll_TokenOfTheReaderOrOfTheLoop_EndsItWithoutUnsubscribing()
    {
        using CancellationTokenSource one = new(), two = new();
        await using IAsyncEnumerator<Envelope<int>> loop = _subscription.Reader.ReadAllAsync(one.Token).GetAsyncEnumerator(two.Token);
        _bus.Publish("t", 1);
        (await loop.MoveNextAsync().Soon()).Should().BeTrue();
        Task<bool> next = loop.MoveNextAsync().AsTask();

        await two.CancelAsync();

        await FluentActions.Awaiting(() => next.Soon()).Should().ThrowAsync<OperationCanceledException>();
        await loop.DisposeAsync();
        _bus.Publish("t", 2).Matched.Should().Be(1, "a loop over the reader does not own the subscription");
        await one.CancelAsync();
    }

    [Fact]
    public async Task Read_AfterTheEnd_SaysThatTheChannelIsClosed()
    {
        Task<Envelope<int>> waiting = _subscription.Reader.ReadAsync().AsTask();
        _bus.Complete("t");
        await FluentActions.Awaiting(() => waiting.Soon()).Should().ThrowAsync<ChannelClosedException>();
        await FluentActions.Awaiting(() => _subscription.Reader.ReadAsync().Soon()).Should().ThrowAsync<ChannelClosedException>();
    }

    private static async Task ReadAsync(ChannelReader<Envelope<int>> reader, int how, int[] seen)
    {
        if (how % 3 == 0)
        {
            await foreach (Envelope<int> envelope in reader.ReadAllAsync())
                Interlocked.Increment(ref seen[envelope.Event]);
            return;
        }

        if (how % 3 == 1)
        {
            while (await reader.WaitToReadAsync())
            {
                if (reader.TryRead(out Envelope<int> envelope))
                    Interlocked.Increment(ref seen[envelope.Event]);
            }

            return;
        }

        try
        {
            while (true)
                Interlocked.Increment(ref seen[(await reader.ReadAsync()).Event]);
        }
        catch (ChannelClosedException)
        {
            // The end.
        }
    }

    private ValueTask<bool> Wait(bool takes) => Wait(_subscription, takes);

    private static ValueTask<bool> Wait(Subscription<int> subscription, bool takes = true) =>
        subscription.Channel.WaitToReadAsync(subscription, takes, CancellationToken.None);

    private sealed class Observer(Action<int> next) : IObserver<Envelope<int>>
    {
        public void OnNext(Envelope<int> value) => next(value.Event);

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }
    }
}
