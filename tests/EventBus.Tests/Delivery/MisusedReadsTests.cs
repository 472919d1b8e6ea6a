namespace EventBus.Tests.Delivery;

/// <summary>A read is used again for the next one, so a mistake with one must not reach another.</summary>
public sealed class MisusedReadsTests : IDisposable
{
    private readonly InProcessEventBus _bus = new();
    private readonly Subscription<object> _subscription;

    public MisusedReadsTests() => _subscription = _bus.Subscribe<object>("t");

    public void Dispose() => _bus.Dispose();

    [Fact]
    public async Task MoveNext_WhileOneWaits_IsRefusedAndTheOtherGetsTheEvent()
    {
        await using IAsyncEnumerator<Envelope<object>> loop = _subscription.Reader.ReadAllAsync().GetAsyncEnumerator();
        ValueTask<bool> first = loop.MoveNextAsync();

        FluentActions.Invoking(() => loop.MoveNextAsync()).Should().Throw<InvalidOperationException>().WithMessage("*under way already*");

        _bus.Publish("t", "one");
        (await first.Soon()).Should().BeTrue();
        loop.Current.Event.Should().Be("one");
        _bus.Publish("t", "two");
        (await loop.MoveNextAsync().Soon()).Should().BeTrue();
        loop.Current.Event.Should().Be("two");
    }

    [Fact]
    public async Task MoveNext_ByManyThreadsAtOnce_EndsNothingButTheirOwnLoop()
    {
        for (int round = 0; round < 500; round++)
        {
            using Subscription<int> shared = _bus.Subscribe<int>("shared");
            await using IAsyncEnumerator<Envelope<int>> loop = shared.Reader.ReadAllAsync().GetAsyncEnumerator();
            Task<bool>[] loops = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() => ReadOnAsync(loop)))];
            for (int i = 0; i < 10; i++)
                _bus.Publish("shared", i);
            _bus.Complete("shared");
            await Task.WhenAll(loops).Soon();
        }
    }

    [Fact]
    public async Task Read_AwaitedTwice_IsRefusedAndHarmsNoLaterRead()
    {
        ValueTask<Envelope<object>> first = _subscription.Reader.ReadAsync();
        _bus.Publish("t", "one");
        (await first).Event.Should().Be("one");
        ValueTask<Envelope<object>> second = _subscription.Reader.ReadAsync();

        await FluentActions.Awaiting(async () => await first).Should().ThrowAsync<InvalidOperationException>();
#pragma warning disable CA2012 // The mistake is what is tested.
        FluentActions.Invoking(() => first.Result).Should().Throw<InvalidOperationException>();
#pragma warning restore CA2012

        ValueTask<Envelope<object>> third = _subscription.Reader.ReadAsync();
        _bus.Publish("t", "two");
        _bus.Publish("t", "three");
        Envelope<object>[] read = await Task.WhenAll(second.AsTask(), third.AsTask()).Soon();
        read.Select(e => e.Event).Should().BeEquivalentTo(["two", "three"]);
    }

    [Fact]
    public async Task Read_AskedForItsResultTooEarly_IsRefusedAndGoesOn()
    {
        ValueTask<Envelope<object>> first = _subscription.Reader.ReadAsync();
#pragma warning disable CA2012 // The mistake is what is tested.
        FluentActions.Invoking(() => first.GetAwaiter().GetResult()).Should().Throw<InvalidOperationException>().WithMessage("*not ended yet*");
#pragma warning restore CA2012
        ValueTask<Envelope<object>> second = _subscription.Reader.ReadAsync();

        _bus.Publish("t", "one");
        _bus.Publish("t", "two");

        Envelope<object>[] read = await Task.WhenAll(first.AsTask(), second.AsTask()).Soon();
        read.Select(e => e.Event).Should().BeEquivalentTo(["one", "two"]);
    }

    [Fact]
    public async Task Read_ThatIsOver_HoldsNeitherItsEventNorItsToken()
    {
        (WeakReference @event, WeakReference token) = await ReadOneAsync();

        // What read it may be on this thread's stack.
        await Task.Yield();
        Memory.Collect();
        @event.IsAlive.Should().BeFalse();
        token.IsAlive.Should().BeFalse();
        GC.KeepAlive(_subscription.Reader);
    }

    private static async Task<bool> ReadOnAsync(IAsyncEnumerator<Envelope<int>> loop)
    {
        try
        {
            while (await loop.MoveNextAsync())
                await Task.Yield();
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private async Task<(WeakReference Event, WeakReference Token)> ReadOneAsync()
    {
        using CancellationTokenSource cancel = new();
        Task<Envelope<object>> read = _subscription.Reader.ReadAsync(cancel.Token).AsTask();
        object @event = new();
        _bus.Publish("t", @event);
        (await read.Soon()).Event.Should().BeSameAs(@event);
        return (new WeakReference(@event), new WeakReference(cancel));
    }
}
