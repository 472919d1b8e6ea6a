using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using EventBus.Delivery;
using EventBus.Tests.Routing;

namespace EventBus.Tests.Delivery;

/// <summary>Many readers are woken by one run of the pool, which none of them can spoil for the others.</summary>
public sealed class WakingTests : IAsyncDisposable
{
    private readonly InProcessEventBus _bus = new();

    public ValueTask DisposeAsync() => _bus.DisposeAsync();

    [Fact]
    public async Task Publish_ReadersThatBlockWhereTheyAreWoken_HoldUpNobody()
    {
        const int Readers = 40;
        using ManualResetEventSlim released = new();
        using CountdownEvent others = new(Readers - 1);
        for (int i = 0; i < Readers; i++)
        {
            bool blocks = i == 0;
            _ = ReadThen(_bus.Subscribe<int>("t"), () =>
            {
                if (blocks)
                    released.Wait();
                else
                    others.Signal();
            });
        }

        _bus.Publish("t", 1).Matched.Should().Be(Readers);

        await Task.Factory.StartNew(
            () => others.Wait(HangGuard.Limit).Should().BeTrue(), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        released.Set();
    }

    [Fact]
    public async Task Publish_FromReadersThatWereJustWoken_ReachesAllAndNestsNothing()
    {
        const int Readers = 200, Rounds = 50;
        int[] reads = new int[Readers];
        TaskCompletionSource[] ends = [.. Enumerable.Range(0, Readers).Select(_ => new TaskCompletionSource())];
        for (int i = 0; i < Readers; i++)
        {
            int index = i;
            Subscription<int> subscription = _bus.Subscribe<int>("t", new() { Capacity = Rounds + 1 });
            _ = ForEach(subscription, e => OnRead(index, subscription, e));
        }

        _bus.Publish("t", 0);

        await Task.WhenAll(ends.Select(e => e.Task)).Soon();
        reads.Should().OnlyContain(r => r == Rounds);

        void OnRead(int index, Subscription<int> subscription, int read)
        {
            RuntimeHelpers.EnsureSufficientExecutionStack();
            reads[index]++;
            if (read == Rounds - 1)
            {
                subscription.Dispose();
                ends[index].SetResult();
            }
            else if (read % Readers == index)
            {
                _bus.Publish("t", read + 1);
            }
        }
    }

    [Fact]
    public async Task Publish_TenThousandWait_AllAreWokenAgainAndAgain()
    {
        const int Readers = 10_000, Events = 5;
        using CountdownEvent reads = new(Readers);
        Task[] loops = [.. Enumerable.Range(0, Readers).Select(_ => ForEach(_bus.Subscribe<int>("t"), _ => reads.Signal()))];
        for (int i = 0; i < Events; i++)
        {
            reads.Reset();
            _bus.Publish("t", i).Matched.Should().Be(Readers);
            await Task.Factory.StartNew(
                () => reads.Wait(HangGuard.Limit).Should().BeTrue(), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        _bus.Complete("t");
        await Task.WhenAll(loops).Soon();
    }

    [Fact]
    public async Task Run_ReaderThrows_IsNotSwallowedAndTheNextIsWoken()
    {
        Relay relay = new();
        ReadWait throwing = NewWait(), next = NewWait();
        GoOnWith(throwing, () => throw new InvalidOperationException("mine"));
        TaskCompletionSource woken = new();
        GoOnWith(next, woken.SetResult);
        throwing.Next = next;
        relay.Append(throwing, next).Should().BeTrue();

        FluentActions.Invoking(() => Run(relay)).Should().Throw<InvalidOperationException>().WithMessage("mine");

        await woken.Task.Soon();
    }

    [Fact]
    public async Task Run_ReaderLeavesItsContextOnTheThread_TheNextDoesNotGoOnInIt()
    {
        Relay relay = new();
        AsyncLocal<string> local = new();
        ReadWait first = NewWait(), second = NewWait();
        (SynchronizationContext? Context, string? Value) seen = (new SynchronizationContext(), "nothing");
        GoOnWith(first, () =>
        {
            SynchronizationContext.SetSynchronizationContext(new SynchronizationContext());
            local.Value = "the first one's";
            relay.Append(second, second);
        });
        GoOnWith(second, () => seen = (SynchronizationContext.Current, local.Value));
        relay.Append(first, first);

        await Task.Run(() => Run(relay));

        seen.Should().Be((null, null));
    }

    [Fact]
    public void Left_AfterItWaitedBesideAnother_IsNotReachableByThatOne()
    {
        WeakReference gone = WaitThenLeave(out Subscription<int> stays);

        Memory.Collect();

        gone.IsAlive.Should().BeFalse();
        GC.KeepAlive(stays);
    }

    [Fact]
    public async Task Publish_AnotherPublishersListenerHangs_WakesThoseWhoWait()
    {
        using ManualResetEventSlim released = new(), hangs = new();
        Thread? hanging = null;
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == EventBusTelemetry.Name && instrument.Name == "messaging.client.sent.messages")
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) =>
        {
            if (Thread.CurrentThread != Volatile.Read(ref hanging))
                return;
            hangs.Set();
            released.Wait();
        });
        listener.Start();
        Task<int>[] early = [.. Enumerable.Range(0, 2).Select(_ => _bus.Subscribe<int>("t").NextAsync())];
        hanging = new Thread(() => _bus.Publish("t", 1));
        hanging.Start();
        hangs.Wait(HangGuard.Limit).Should().BeTrue();
        try
        {
            Task<int>[] late = [.. Enumerable.Range(0, 2).Select(_ => _bus.Subscribe<int>("t").NextAsync())];
            _bus.Publish("t", 2);

            (await Task.WhenAll(late).Soon()).Should().Equal(2, 2);
            (await Task.WhenAll(early).Soon()).Should().Equal(1, 1);
        }
        finally
        {
            released.Set();
            hanging.Join();
        }
    }

    [Fact]
    public async Task End_ThreadIsInterruptedAtTheRegistry_ReadersAreTold()
    {
        using RoutingRig rig = new();
        SubscriberChannel<int> channel = rig.Join("t");
        Task<bool> reader = channel.WaitToReadAsync(this, takes: true, CancellationToken.None).AsTask();
        bool wasInterrupted = false;
        Thread ending = new(() =>
        {
            try
            {
                Thread.CurrentThread.Interrupt();
                channel.End(ChannelEnd.Left);
            }
            catch (ThreadInterruptedException)
            {
                wasInterrupted = true;
            }
        });
        lock (rig.Table.Gate)
        {
            ending.Start();
            ending.Join();
        }

        wasInterrupted.Should().BeTrue();
        (await reader.Soon()).Should().BeFalse();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference WaitThenLeave(out Subscription<int> stays)
    {
        Subscription<int> leaves = _bus.Subscribe<int>("t");
        stays = _bus.Subscribe<int>("t");
        Task<int> first = leaves.NextAsync(), second = stays.NextAsync();
        _bus.Publish("t", 1);
        Task.WaitAll([first, second], HangGuard.Limit);
        leaves.Dispose();
        return new WeakReference(leaves.Channel);
    }

    private static async Task ReadThen(Subscription<int> subscription, Action then)
    {
        await subscription.Reader.WaitToReadAsync().ConfigureAwait(false);
        then();
    }

    /// <remarks>Not in the context that the test runs in, which would take each away from where it is woken.</remarks>
    private static async Task ForEach(Subscription<int> subscription, Action<int> action)
    {
        await foreach (Envelope<int> envelope in subscription.ConfigureAwait(false))
            action(envelope.Event);
    }

    private static void GoOnWith(ReadWait wait, Action continuation) =>
        wait.Task.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(continuation);

    private static void Run(IThreadPoolWorkItem work) => work.Execute();

    private ReadWait NewWait()
    {
        ReadWait wait = new(_bus.Subscribe<int>("t").Channel, reusable: false);
        wait.Begin(this, takes: true);
        return wait;
    }
}
