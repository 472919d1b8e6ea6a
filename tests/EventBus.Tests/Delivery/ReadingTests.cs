using System.Threading.Channels;

namespace EventBus.Tests.Delivery;

/// <summary>The reader and the loop: what they give, how they wait, how they end.</summary>
public sealed class ReadingTests : IDisposable
{
    private readonly InProcessEventBus _bus = new();
    private readonly Subscription<int> _subscription;

    public ReadingTests() => _subscription = _bus.Subscribe<int>("t");

    public void Dispose() => _bus.Dispose();

    [Fact]
    public void Reader_Counts_PeeksAndReads()
    {
        ChannelReader<Envelope<int>> reader = _subscription.Reader;
        (reader.CanCount, reader.CanPeek, reader.Count).Should().Be((true, true, 0));
        reader.TryPeek(out _).Should().BeFalse();
        reader.TryRead(out _).Should().BeFalse();
        Publish(1, 2);

        reader.TryPeek(out Envelope<int> peeked).Should().BeTrue();
        peeked.Event.Should().Be(1);
        (reader.Count, _subscription.Count, _subscription.Delivered).Should().Be((2, 2, 0));
        reader.TryRead(out Envelope<int> read).Should().BeTrue();

        read.Should().Be(peeked);
        (reader.Count, _subscription.Count, _subscription.Delivered).Should().Be((1, 1, 1));
        _subscription.Reader.Should().BeSameAs(reader);
    }

    [Fact]
    public async Task WaitToRead_SomethingQueued_CompletesAtOnce()
    {
        Publish(1);
        ValueTask<bool> wait = _subscription.Reader.WaitToReadAsync();
        wait.IsCompletedSuccessfully.Should().BeTrue();
        (await wait).Should().BeTrue();
    }

    [Fact]
    public async Task WaitToRead_NothingQueued_WaitsForThePublish()
    {
        for (int i = 0; i < 3; i++)
        {
            ValueTask<bool> wait = _subscription.Reader.WaitToReadAsync();
            wait.IsCompleted.Should().BeFalse();
            Publish(i);
            (await wait.Soon()).Should().BeTrue();
            _subscription.ReadEvents().Should().Equal(i);
        }
    }

    [Fact]
    public async Task WaitToRead_CancelledBeforehandOrWhileWaiting_ThrowsAndLosesNothing()
    {
        using CancellationTokenSource cancel = new();
        await FluentActions.Awaiting(() => _subscription.Reader.WaitToReadAsync(new(canceled: true)).Soon())
            .Should().ThrowAsync<OperationCanceledException>();
        Task<bool> cancelled = _subscription.Reader.WaitToReadAsync(cancel.Token).AsTask();
        Task<bool> other = _subscription.Reader.WaitToReadAsync().AsTask();
        Task<bool> third = _subscription.Reader.WaitToReadAsync(CancellationToken.None).AsTask();

        await cancel.CancelAsync();

        (await FluentActions.Awaiting(() => cancelled.Soon()).Should().ThrowAsync<OperationCanceledException>())
            .Which.CancellationToken.Should().Be(cancel.Token);
        other.IsCompleted.Should().BeFalse("only the one wait was cancelled");
        Publish(1);
        (await other.Soon()).Should().BeTrue();
        (await third.Soon()).Should().BeTrue();
        _subscription.ReadEvents().Should().Equal(1);
    }

    [Fact]
    public async Task WaitToRead_TwoWaiting_BothAreWokenAndOneGetsTheEvent()
    {
        Task<Envelope<int>> first = _subscription.Reader.ReadAsync().AsTask(), second = _subscription.Reader.ReadAsync().AsTask();

        Publish(1);
        Task<Envelope<int>> served = await Task.WhenAny(first, second).Soon();
        Publish(2);

        (await Task.WhenAll(first, second).Soon()).Select(e => e.Event).Should().BeEquivalentTo([1, 2]);
        (await served).Event.Should().Be(1);
    }

    [Fact]
    public async Task TwoReaders_Compete_EachEventGoesToOne()
    {
        const int count = 10_000;
        Task<List<int>> first = ReadAllAsync(_subscription.Reader), second = ReadAllAsync(_subscription.Reader);
        for (int i = 0; i < count; i++)
            await _bus.PublishAsync("t", i);
        Task drained = _subscription.DrainAsync().AsTask();

        List<int>[] read = await Task.WhenAll(first, second).Soon();

        read.Should().OnlyContain(r => r.SequenceEqual(r.Order()));
        read.SelectMany(r => r).Order().Should().Equal(Enumerable.Range(0, count));
        await drained.Soon();
        _subscription.Delivered.Should().Be(count);
    }

    [Fact]
    public async Task ReadAllAsync_EndsWithTheSubscription()
    {
        Publish(1, 2, 3);
        _bus.Complete("t");
        (await ReadAllAsync(_subscription.Reader).Soon()).Should().Equal(1, 2, 3);
        await FluentActions.Awaiting(() => _subscription.Reader.ReadAsync().Soon()).Should().ThrowAsync<ChannelClosedException>();
    }

    [Fact]
    public async Task ReadAllAsync_BreakingOut_DoesNotDisposeTheSubscription()
    {
        Publish(1, 2);
        await foreach (Envelope<int> envelope in _subscription.Reader.ReadAllAsync())
        {
            envelope.Event.Should().Be(1);
            break;
        }

        Publish(3);
        _subscription.ReadEvents().Should().Equal(2, 3);
    }

    [Fact]
    public async Task Loop_BreakingOut_DisposesTheSubscription()
    {
        Publish(1, 2);
        await foreach ((string topic, int e) in _subscription)
        {
            (topic, e).Should().Be(("t", 1));
            break;
        }

        _bus.HasSubscribers("t").Should().BeFalse();
        _subscription.Reader.TryRead(out _).Should().BeFalse();
        await _subscription.Completion.Soon();
    }

    [Fact]
    public async Task Loop_Throwing_DisposesTheSubscription()
    {
        Publish(1);
        await FluentActions.Awaiting(() => LoopAsync().Soon()).Should().ThrowAsync<InvalidTimeZoneException>();
        _bus.HasSubscribers("t").Should().BeFalse();

        async Task LoopAsync()
        {
            await foreach (Envelope<int> _ in _subscription)
                throw new InvalidTimeZoneException();
        }
    }

    [Fact]
    public async Task Loop_ThatParks_ReadsWhatComesUntilTheEnd()
    {
        List<int> read = [];
        TaskCompletionSource<int> seen = new();
        Task loop = LoopAsync();
        for (int i = 0; i < 3; i++)
        {
            seen = new();
            Publish(i);
            (await seen.Task.Soon()).Should().Be(i);
        }

        _bus.Complete("t");
        await loop.Soon();
        read.Should().Equal(0, 1, 2);

        async Task LoopAsync()
        {
            await foreach ((_, int e) in _subscription.ConfigureAwait(false))
            {
                read.Add(e);
                seen.SetResult(e);
            }
        }
    }

    [Fact]
    public async Task Loop_WithCancellation_EndsWhileWaitingAndLeaves()
    {
        using CancellationTokenSource cancel = new();
        Task loop = LoopAsync(cancel.Token);

        await cancel.CancelAsync();

        await FluentActions.Awaiting(() => loop.Soon()).Should().ThrowAsync<OperationCanceledException>();
        _bus.HasSubscribers("t").Should().BeFalse();
    }

    [Fact]
    public async Task Loop_WithCancellation_EndsAlsoWhenThereIsAlwaysSomethingToRead()
    {
        using CancellationTokenSource cancel = new();
        Publish([.. Enumerable.Range(0, 100)]);
        int read = 0;

        await FluentActions.Awaiting(() => CountAsync().Soon()).Should().ThrowAsync<OperationCanceledException>();

        read.Should().Be(10);

        async Task CountAsync()
        {
            await foreach (Envelope<int> _ in _subscription.WithCancellation(cancel.Token))
            {
                if (++read == 10)
                    await cancel.CancelAsync();
            }
        }
    }

    [Fact]
    public async Task Completion_AwaitedBeforeAndAfter_EndsWhenAllIsRead()
    {
        Task before = _subscription.Completion, readerBefore = _subscription.Reader.Completion;
        Publish(1);
        _bus.Complete("t");
        (before.IsCompleted, readerBefore.IsCompleted, _subscription.Completion.IsCompleted).Should().Be((false, false, false));

        _subscription.Reader.TryRead(out _).Should().BeTrue();

        await before.Soon();
        await readerBefore.Soon();
        await _subscription.Completion.Soon();
        await _subscription.Reader.Completion.Soon();
    }

    [Fact]
    public async Task Drain_TakesNothingNewAndEndsWhenTheRestIsRead()
    {
        Publish(1);

        Task drained = _subscription.DrainAsync().AsTask();

        _bus.Publish("t", 2).Should().Be(default(PublishResult));
        drained.IsCompleted.Should().BeFalse();
        _subscription.ReadEvents().Should().Equal(1);
        await drained.Soon();
        await _subscription.DrainAsync().Soon();
    }

    [Fact]
    public async Task Drain_Cancelled_StopsWaitingButTakesNothingNewAllTheSame()
    {
        using CancellationTokenSource cancel = new();
        Publish(1);
        Task drained = _subscription.DrainAsync(cancel.Token).AsTask();

        await cancel.CancelAsync();

        await FluentActions.Awaiting(() => drained.Soon()).Should().ThrowAsync<OperationCanceledException>();
        _bus.HasSubscribers("t").Should().BeFalse();
        _subscription.ReadEvents().Should().Equal(1);
    }

    private static async Task<List<int>> ReadAllAsync(ChannelReader<Envelope<int>> reader)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        List<int> read = [];
        await foreach ((_, int e) in reader.ReadAllAsync())
            read.Add(e);
        return read;
    }

    private async Task LoopAsync(CancellationToken cancellationToken)
    {
        await foreach (Envelope<int> never in _subscription.WithCancellation(cancellationToken))
            Assert.Fail($"{never} was never published.");
    }

    private void Publish(params int[] events)
    {
        foreach (int e in events)
            _bus.Publish("t", e).Should().Be(new PublishResult(1, 0));
    }
}
