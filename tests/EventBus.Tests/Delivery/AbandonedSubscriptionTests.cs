using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Delivery;

/// <summary>A pull subscription that nothing refers to any more is reclaimed; what reads it keeps it.</summary>
/// <remarks>What is to be collected is made in methods of their own that are not inlined, so that no frame of a test holds it.</remarks>
public sealed class AbandonedSubscriptionTests : IDisposable
{
    private readonly RecordedLog _log = new();
    private readonly InProcessEventBus _bus;
    private readonly CancellationTokenSource _token = new();

    public AbandonedSubscriptionTests() => _bus = new(loggerFactory: _log);

    public void Dispose()
    {
        _bus.Dispose();
        _token.Dispose();
    }

    [Fact]
    public async Task Abandoned_IsUnsubscribedWithAWarningThatNamesTheCaller()
    {
        (WeakReference handle, int line) = Abandon();
        _bus.Publish("lost:1", 1).Matched.Should().Be(1, "it lives until it is collected");

        Collect();

        LogLine warning = await _log.NextAsync();
        warning.Level.Should().Be(LogLevel.Warning);
        warning.Message.Should().Contain("lost:*").And.Contain("forgotten").And.Contain($"{nameof(AbandonedSubscriptionTests)}.cs:{line}");
        handle.IsAlive.Should().BeFalse();
        _bus.HasSubscribers("lost:1").Should().BeFalse();
        _bus.Publish("lost:1", 2).Matched.Should().Be(0);
        EventBusStatistics statistics = _bus.GetStatistics();
        (statistics.Subscriptions, statistics.Discarded, statistics.Queued).Should().Be((0, 1, 0));

        [MethodImpl(MethodImplOptions.NoInlining)]
        (WeakReference, int) Abandon() => (new(_bus.Subscribe<int>("lost:*", new() { Name = "forgotten" })), LineOf());
    }

    [Fact]
    public async Task Abandoned_OverATypedTopicOrSeveralPatterns_NamesTheCallerToo()
    {
        int first = AbandonTyped(), second = AbandonSeveral();

        Collect();

        string[] warnings = [(await _log.NextAsync()).Message, (await _log.NextAsync()).Message];
        warnings.Should().ContainSingle(w => w.Contains($"{nameof(AbandonedSubscriptionTests)}.cs:{first}") && w.Contains("typed"));
        warnings.Should().ContainSingle(w => w.Contains($"{nameof(AbandonedSubscriptionTests)}.cs:{second}") && w.Contains("\"b:*\""));

        [MethodImpl(MethodImplOptions.NoInlining)]
        int AbandonTyped()
        {
            _bus.Subscribe(new Topic<int>("typed")); return LineOf();
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        int AbandonSeveral()
        {
            _bus.Subscribe<int>(["a", "b:*"]); return LineOf();
        }
    }

    [Fact]
    public async Task Abandoned_WithItsCompletionAwaitedAndATokenRegistered_IsReclaimedAllTheSame()
    {
        Task completion = Abandon();

        Collect();

        await completion.Soon();
        (await _log.NextAsync()).Message.Should().Contain("\"t\"");
        _bus.HasSubscribers("t").Should().BeFalse();

        [MethodImpl(MethodImplOptions.NoInlining)]
        Task Abandon() => _bus.Subscribe<int>("t", _token.Token).Completion;
    }

    [Fact]
    public async Task Abandoned_WhilePublishersWaitForIt_LetsThemGoOn()
    {
        Abandon();
        _bus.Publish("t", 0);
        Task<PublishResult> waiting = _bus.PublishAsync("t", 1).AsTask();

        Collect();

        (await waiting.Soon()).Matched.Should().Be(1);
        (await _log.NextAsync()).Message.Should().Contain("\"t\"");

        [MethodImpl(MethodImplOptions.NoInlining)]
        void Abandon() => _bus.Subscribe<int>("t", new() { Capacity = 1, WaitTimeout = TimeSpan.FromHours(24) });
    }

    [Fact]
    public async Task Abandoned_AfterItsEnd_IsNoReasonToWarn()
    {
        Task completion = Leave();
        _bus.Complete("t");

        Collect();

        await completion.Soon();
        _bus.GetStatistics().Discarded.Should().Be(1, "nobody can read it any more");
        _log.Lines.Should().BeEmpty();

        [MethodImpl(MethodImplOptions.NoInlining)]
        Task Leave()
        {
            Task completion = _bus.Subscribe<int>("t").Completion;
            _bus.Publish("t", 1);
            return completion;
        }
    }

    [Fact]
    public void Disposed_IsNeverWarnedOf()
    {
        Leave();

        Collect();

        _log.Lines.Should().BeEmpty();

        [MethodImpl(MethodImplOptions.NoInlining)]
        void Leave() => _bus.Subscribe<int>("t").Dispose();
    }

    [Fact]
    public async Task Subscribe_Refused_IsNeverWarnedOf()
    {
        using InProcessEventBus bus = new(new() { MaxSubscriptions = 1 }, _log);
        using Subscription<int> only = bus.Subscribe<int>("t");
        TryOneMore();

        await CollectAndFlushAsync();

        _log.Lines.Should().BeEmpty();

        [MethodImpl(MethodImplOptions.NoInlining)]
        void TryOneMore() => FluentActions.Invoking(() => bus.Subscribe<int>("t")).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public async Task HeldReader_KeepsItAlive()
    {
        ChannelReader<Envelope<int>> reader = TakeReader();

        await CollectAndFlushAsync();

        _bus.Publish("t", 1).Matched.Should().Be(1);
        reader.TryRead(out Envelope<int> read).Should().BeTrue();
        read.Event.Should().Be(1);
        GC.KeepAlive(reader);

        [MethodImpl(MethodImplOptions.NoInlining)]
        ChannelReader<Envelope<int>> TakeReader() => _bus.Subscribe<int>("t").Reader;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WaitingReader_KeepsItAlive(bool withToken)
    {
        // Nothing but the bus holds the wait.
        TaskCompletionSource<int> read = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Wait(withToken ? _token.Token : default);

        await CollectAndFlushAsync();

        _bus.Publish("t", 1).Matched.Should().Be(1);
        (await read.Task.Soon()).Should().Be(1);

        [MethodImpl(MethodImplOptions.NoInlining)]
        void Wait(CancellationToken cancellationToken) => _ = ReadAsync(_bus.Subscribe<int>("t"), cancellationToken);

        async Task ReadAsync(Subscription<int> subscription, CancellationToken cancellationToken) =>
            read.SetResult((await subscription.Reader.ReadAsync(cancellationToken)).Event);
    }

    [Fact]
    public async Task RunningLoop_KeepsItAlive_WaitingAndInItsBody()
    {
        Channel<int> seen = Channel.CreateUnbounded<int>();
        TaskCompletionSource goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Start();

        await CollectAndFlushAsync();
        _bus.Publish("t", 1).Matched.Should().Be(1);
        (await seen.Reader.ReadAsync().Soon()).Should().Be(1);

        // In its body now.
        await CollectAndFlushAsync();
        _bus.Publish("t", 2).Matched.Should().Be(1);
        goOn.SetResult();
        (await seen.Reader.ReadAsync().Soon()).Should().Be(2);

        [MethodImpl(MethodImplOptions.NoInlining)]
        void Start() => _ = LoopAsync(_bus.Subscribe<int>("t"));

        async Task LoopAsync(Subscription<int> subscription)
        {
            await foreach ((_, int e) in subscription)
            {
                seen.Writer.TryWrite(e);
                await goOn.Task;
            }
        }
    }

    [Fact]
    public async Task AttachedObserver_KeepsItAlive_DetachedItDoesNot()
    {
        Channel<int> seen = Channel.CreateUnbounded<int>();
        IDisposable? attachment = Attach();

        await CollectAndFlushAsync();
        _bus.Publish("t", 1).Matched.Should().Be(1);
        (await seen.Reader.ReadAsync().Soon()).Should().Be(1);

        attachment.Dispose();
        attachment = null;
        await _log.NextAfterAsync(Collect);
        _bus.HasSubscribers("t").Should().BeFalse();
        GC.KeepAlive(attachment);

        [MethodImpl(MethodImplOptions.NoInlining)]
        IDisposable Attach() => _bus.Subscribe<int>("t").AsObservable().Subscribe(new Observer(seen.Writer));
    }

    [Fact]
    public async Task Handler_IsKeptAliveByTheBus()
    {
        TaskCompletionSource<int> handled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Handle();

        await CollectAndFlushAsync();

        _bus.Publish("t", 1).Matched.Should().Be(1);
        (await handled.Task.Soon()).Should().Be(1);

        [MethodImpl(MethodImplOptions.NoInlining)]
        void Handle() => _bus.Handle<int>(
            "t",
            (e, _) =>
            {
                handled.SetResult(e.Event);
                return default;
            });
    }

    private static int LineOf([CallerLineNumber] int line = 0) => line;

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    /// <summary>Collects, and waits until a subscription that was abandoned on purpose has been reclaimed: what could be, has been.</summary>
    private static async Task CollectAndFlushAsync()
    {
        RecordedLog log = new();
        using InProcessEventBus bus = new(loggerFactory: log);
        Abandon();
        Collect();
        await log.NextAsync();

        [MethodImpl(MethodImplOptions.NoInlining)]
        void Abandon() => bus.Subscribe<int>("marker");
    }

    private sealed class Observer(ChannelWriter<int> seen) : IObserver<Envelope<int>>
    {
        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }

        public void OnNext(Envelope<int> value) => seen.TryWrite(value.Event);
    }
}
