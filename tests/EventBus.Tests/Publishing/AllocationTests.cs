using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace EventBus.Tests.Publishing;

/// <summary>Publishing and reading allocate nothing in steady state: once routes are cached and buffers have grown.</summary>
public sealed class AllocationTests : IDisposable
{
    private const int Rounds = 1000;
    private readonly InProcessEventBus _bus = new();

    private readonly string _shared = "an event";

    public void Dispose() => _bus.Dispose();

    [Fact]
    public void Publish_Structs_AllocatesNothing()
    {
        Subscription<Reading>[] subscriptions = Subscribe<Reading>(8);
        AllocatedBy(() =>
        {
            _bus.Publish("t", new Reading(1, 2));
            ReadAll(subscriptions);
        }).Should().Be(0);
    }

    [Fact]
    public void Publish_References_AllocatesNothing()
    {
        Subscription<string>[] subscriptions = Subscribe<string>(8);
        Subscription<object>[] others = Subscribe<object>(2);
        AllocatedBy(() =>
        {
            _bus.Publish("t", _shared);
            _bus.Publish<object>("t", _shared, except: others[0]);
            ReadAll(subscriptions);
            ReadAll(others);
        }).Should().Be(0);
    }

    [Fact]
    [SuppressMessage("Reliability", "CA2012", Justification = "Each awaiter is consumed once, after its wait is over.")]
    public async Task Publish_ToALoopThatFellAsleep_AllocatesNothing()
    {
        using Subscription<Reading> subscription = _bus.Subscribe<Reading>("t");
        await using IAsyncEnumerator<Envelope<Reading>> loop = subscription.GetAsyncEnumerator();
        using SemaphoreSlim woken = new(0);
        Action wake = () => woken.Release();
        AllocatedBy(() =>
        {
            ConfiguredValueTaskAwaitable<bool>.ConfiguredValueTaskAwaiter next = loop.MoveNextAsync().ConfigureAwait(false).GetAwaiter();
            if (next.IsCompleted)
                throw new InvalidOperationException("There was nothing to read.");
            next.UnsafeOnCompleted(wake);
            _bus.Publish("t", new Reading(1, 2));
            woken.Wait();
            next.GetResult();
        }).Should().BeLessThan(Rounds, "nothing for each, though the pool's own queue may grow once");
    }

    [Fact]
    public void PublishAsync_WithRoom_AllocatesNothing()
    {
        Subscription<Reading>[] subscriptions = Subscribe<Reading>(8);
        AllocatedBy(() =>
        {
            ValueTask<PublishResult> published = _bus.PublishAsync("t", new Reading(1, 2));
            if (!published.IsCompletedSuccessfully)
                throw new InvalidOperationException("There was room.");
            ReadAll(subscriptions);
        }).Should().Be(0);
    }

    [Theory]
    [InlineData(OverflowPolicy.Wait)]
    [InlineData(OverflowPolicy.DropNewest)]
    [InlineData(OverflowPolicy.DropOldest)]
    [InlineData(OverflowPolicy.DropWrite)]
    public void Publish_IntoFullChannels_AllocatesNothingAfterTheFirstLossOfTheEpisode(OverflowPolicy overflow)
    {
        using Subscription<Reading> full = _bus.Subscribe<Reading>("t", new() { Capacity = 4, Overflow = overflow });
        AllocatedBy(() => _bus.Publish("t", new Reading(1, 2))).Should().Be(0);
        full.Dropped.Should().BeGreaterThan(Rounds);
    }

    [Fact]
    public void Publish_StructWhereAReferenceIsWanted_AllocatesOneBox()
    {
        Subscription<object>[] subscriptions = Subscribe<object>(8);
        long perPublish = AllocatedBy(() =>
        {
            _bus.Publish("t", new Reading(1, 2));
            ReadAll(subscriptions);
        }) / Rounds;
        perPublish.Should().Be(16 + Unsafe.SizeOf<Reading>(), "eight subscribers share one box");
    }

    [Fact]
    public void Publish_NobodyListensOrByPattern_AllocatesNothing()
    {
        using Subscription<Reading> subscription = _bus.Subscribe<Reading>("a:*");
        AllocatedBy(() =>
        {
            _bus.Publish("nobody", new Reading(1, 2));
            _bus.Publish("a:1", new Reading(1, 2));
            subscription.Reader.TryRead(out _);
        }).Should().Be(0);
    }

    [Fact]
    public void WaitToRead_WithoutAToken_AllocatesNothing()
    {
        using Subscription<Reading> subscription = _bus.Subscribe<Reading>("t");
        AllocatedBy(() =>
        {
            ValueTask<bool> wait = subscription.Reader.WaitToReadAsync();
            _bus.Publish("t", new Reading(1, 2));
            if (!wait.GetAwaiter().GetResult())
                throw new InvalidOperationException("It was published.");
            subscription.Reader.TryRead(out _);
        }).Should().Be(0);
    }

    private static void ReadAll<TEvent>(Subscription<TEvent>[] subscriptions)
        where TEvent : notnull
    {
        foreach (Subscription<TEvent> subscription in subscriptions)
        {
            while (subscription.Reader.TryRead(out _))
            {
            }
        }
    }

    /// <summary>What an action allocates on this thread, in <see cref="Rounds"/> rounds after a warm-up.</summary>
    private static long AllocatedBy(Action action)
    {
        for (int i = 0; i < Rounds; i++)
            action();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Rounds; i++)
            action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private Subscription<TEvent>[] Subscribe<TEvent>(int count)
        where TEvent : notnull => [.. Enumerable.Range(0, count).Select(_ => _bus.Subscribe<TEvent>("t"))];

    private readonly record struct Reading(long A, long B);
}
