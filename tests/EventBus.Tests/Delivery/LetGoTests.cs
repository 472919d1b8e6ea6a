using System.Runtime.CompilerServices;
using EventBus.Testing;

namespace EventBus.Tests.Delivery;

/// <summary>An event that everybody has read is not reachable any more, whoever else is there and whatever comes later.</summary>
public sealed class LetGoTests : IAsyncDisposable
{
    /// <summary>What may be kept beside what somebody has yet to read: events are let go of by so many at once.</summary>
    private const int Piece = 64;
    private const int Many = 5_000;
    private readonly InProcessEventBus _bus = new();

    /// <summary>How many subscriptions, and how many events are published before they are read, in several bursts.</summary>
    public static TheoryData<int, int[]> Bursts { get; } = new()
    {
        { 1, [1] },
        { 1, [3, 1, 70, 2] },
        { 1, [1000] },
        { 2, [1] },
        { 2, [1, 1, 1] },
        { 5, [3, 5, 64, 65] },
        { 5, [1000, 1] },
        { 40, [7, 150, 128] },
    };

    public ValueTask DisposeAsync() => _bus.DisposeAsync();

    [Theory]
    [MemberData(nameof(Bursts))]
    public async Task Events_TakenOneByOne_AreLetGoOf(int readers, int[] bursts)
    {
        Subscription<Tracked>[] subscriptions = Subscribe(readers);
        foreach (int burst in bursts)
        {
            WeakReference[] events = Publish(burst);

            // Exactly as many reads as there are events: none that finds nothing.
            Array.ForEach(subscriptions, s => Read(s, burst));

            (await AliveOf(events, atMost: 0)).Should().BeEmpty();
        }
    }

    [Theory]
    [MemberData(nameof(Bursts))]
    public async Task Events_OfValueTypeThatReferToSomething_AreLetGoOf(int readers, int[] bursts)
    {
        Subscription<Carrier>[] subscriptions = Subscribe<Carrier>(readers);
        foreach (int burst in bursts)
        {
            WeakReference[] events = PublishCarried(burst);
            Array.ForEach(subscriptions, s => Read(s, burst));

            (await AliveOf(events, atMost: 0)).Should().BeEmpty();
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(10)]
    public async Task Events_ReadByLoops_AreLetGoOfButTheCurrentOne(int readers)
    {
        Subscription<Tracked>[] subscriptions = Subscribe(readers);
        int read = 0;
        Task[] loops = [.. subscriptions.Select(s => Task.Run(() => LoopAsync(s)))];

        WeakReference[] events = Publish(Many / 10);
        await ReachAsync(() => Volatile.Read(ref read), readers * events.Length);

        // A loop has its current event in hand until the next one comes.
        (await AliveOf(events, atMost: 1)).Should().BeSubsetOf([events.Length - 1]);
        _bus.Complete("t");
        await Task.WhenAll(loops).Soon();

        async Task LoopAsync(Subscription<Tracked> subscription)
        {
            await foreach (Envelope<Tracked> _ in subscription)
                Interlocked.Increment(ref read);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(3, 4)]
    public async Task Events_Handled_AreLetGoOfButThoseInHand(int handlers, int concurrency)
    {
        int handled = 0;
        for (int i = 0; i < handlers; i++)
        {
            _bus.Handle<Tracked>(
                "t",
                (_, _) =>
                {
                    Interlocked.Increment(ref handled);
                    return default;
                },
                new() { Capacity = 1024, MaxConcurrency = concurrency });
        }

        WeakReference[] events = Publish(Many / 10);
        await _bus.WhenIdleAsync();

        handled.Should().Be(handlers * events.Length);
        (await AliveOf(events, atMost: concurrency)).Should().HaveCountLessThanOrEqualTo(concurrency);
    }

    [Fact]
    public async Task ReaderThatLags_KeepsWhatItHasNotRead()
    {
        const int Read = 700;
        Subscription<Tracked>[] subscriptions = Subscribe(3);
        WeakReference[] events = Publish(1000);
        LetGoTests.Read(subscriptions[0], 1000);
        LetGoTests.Read(subscriptions[1], 1000);
        LetGoTests.Read(subscriptions[2], Read);

        int[] alive = await AliveOf(events, atMost: 1000 - Read + Piece);
        alive.Should().HaveCountLessThanOrEqualTo(1000 - Read + Piece).And.Contain(Enumerable.Range(Read, 1000 - Read));
        alive.Should().OnlyContain(number => number >= Read - Piece);

        subscriptions[2].Dispose();
        (await AliveOf(events, atMost: 0)).Should().BeEmpty("who left keeps nothing");
    }

    [Theory]
    [InlineData(OverflowPolicy.Wait, 1)]
    [InlineData(OverflowPolicy.DropOldest, 1)]
    [InlineData(OverflowPolicy.DropOldest, 100)]
    [InlineData(OverflowPolicy.DropNewest, 1)]
    [InlineData(OverflowPolicy.DropNewest, 100)]
    [InlineData(OverflowPolicy.DropWrite, 1)]
    [InlineData(OverflowPolicy.DropWrite, 100)]
    [InlineData(OverflowPolicy.Close, 100)]
    public async Task ReaderThatHangs_KeepsAboutItsCapacity(OverflowPolicy overflow, int capacity)
    {
        Subscription<Tracked>[] subscriptions = Subscribe(3);
        using Subscription<Tracked> hangs = _bus.Subscribe<Tracked>("t", new() { Capacity = capacity, Overflow = overflow });
        WeakReference[] events = [];
        for (int i = 0; i < Many; i += 50)
        {
            events = [.. events, .. Publish(50)];
            Array.ForEach(subscriptions, s => Read(s, 50));
        }

        // What it is to read, and the rest of the pieces that is in.
        int atMost = (2 * capacity) + (2 * Piece);
        (await AliveOf(events, atMost)).Should().HaveCountLessThanOrEqualTo(atMost);

        hangs.Count.Should().Be(capacity);
        Read(hangs, capacity);
        (await AliveOf(events, atMost: 0)).Should().BeEmpty("it has read all there was for it");
    }

    [Fact]
    public async Task ReaderThatHangsAlone_KeepsItsCapacity()
    {
        using Subscription<Tracked> hangs = _bus.Subscribe<Tracked>("t", new() { Capacity = 100, Overflow = OverflowPolicy.DropOldest });

        WeakReference[] events = Publish(Many);

        int[] alive = await AliveOf(events, atMost: 100 + (2 * Piece));
        alive.Should().HaveCountLessThanOrEqualTo(100 + (2 * Piece)).And.Contain(Enumerable.Range(Many - 100, 100));
    }

    [Fact]
    public async Task ReaderThatIsExcepted_KeepsNothingOfWhatItDoesNotGet()
    {
        Subscription<Tracked>[] subscriptions = Subscribe(3);
        WeakReference[] events = Publish(1000, except: subscriptions[2]);
        Read(subscriptions[0], 1000);
        Read(subscriptions[1], 1000);

        subscriptions[2].Count.Should().Be(0);
        (await AliveOf(events, atMost: 0)).Should().BeEmpty();
    }

    [Fact]
    public async Task ReaderThatComesLate_KeepsNothingOfWhatWasBefore()
    {
        Subscription<Tracked>[] early = Subscribe(2);
        WeakReference[] events = Publish(500);
        Subscription<Tracked>[] late = Subscribe(2);
        WeakReference[] more = Publish(10);

        Array.ForEach(early, s => Read(s, 510));

        (await AliveOf(events, atMost: Piece)).Should().HaveCountLessThanOrEqualTo(Piece);
        Array.ForEach(late, s => Read(s, 10));
        (await AliveOf([.. events, .. more], atMost: 0)).Should().BeEmpty();
    }

    private Subscription<Tracked>[] Subscribe(int count) => Subscribe<Tracked>(count);

    private Subscription<TEvent>[] Subscribe<TEvent>(int count)
        where TEvent : notnull => [.. Enumerable.Range(0, count).Select(_ => _bus.Subscribe<TEvent>("t", new() { Capacity = 1024 }))];

    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference[] Publish(int count, Subscription? except = null)
    {
        WeakReference[] events = new WeakReference[count];
        for (int i = 0; i < count; i++)
        {
            Tracked e = new();
            events[i] = new WeakReference(e);
            _bus.Publish("t", e, except);
        }

        return events;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference[] PublishCarried(int count)
    {
        WeakReference[] events = new WeakReference[count];
        for (int i = 0; i < count; i++)
        {
            Tracked e = new();
            events[i] = new WeakReference(e);
            _bus.Publish("t", new Carrier(i, e));
        }

        return events;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Read<TEvent>(Subscription<TEvent> subscription, int count)
        where TEvent : notnull
    {
        for (int i = 0; i < count; i++)
            subscription.Reader.TryRead(out _).Should().BeTrue();
    }

    /// <summary>Which are alive. Threads that have just read one may still have it on their stacks: they get time to leave.</summary>
    private static async Task<int[]> AliveOf(WeakReference[] events, int atMost)
    {
        int[] alive = [];
        for (int i = 0; i < 20; i++)
        {
            Memory.Collect();
            alive = [.. Enumerable.Range(0, events.Length).Where(n => events[n].IsAlive)];
            if (alive.Length <= atMost)
                break;
            await Task.Yield();
        }

        return alive;
    }

    private static async Task ReachAsync(Func<int> count, int expected)
    {
        using CancellationTokenSource limit = new(HangGuard.Limit);
        while (count() < expected)
        {
            limit.IsCancellationRequested.Should().BeFalse($"{count()} should become {expected}");
            await Task.Yield();
        }
    }

    private sealed class Tracked;

    private readonly record struct Carrier(int Number, Tracked Carried);
}
