using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using EventBus.Testing;

namespace EventBus.Tests.Diagnostics;

/// <summary>What listens to metrics and spans may throw: a measurement is lost, no event, no reader and no handler.</summary>
[Collection(nameof(AloneCollection))]
public sealed class ListenerFailureTests : IMeterFactory
{
    private readonly Meter _meter = new(EventBusTelemetry.Name);
    private readonly MeterListener _listener = new();
    private readonly FakeTimeProvider _clock = new();

    /// <summary>How often a listener threw.</summary>
    private int _thrown;

    public ListenerFailureTests()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter == _meter)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((_, _, _, _) => Throw());
        _listener.SetMeasurementEventCallback<double>((_, _, _, _) => Throw());
        _listener.Start();
    }

    Meter IMeterFactory.Create(MeterOptions options) => _meter;

    void IDisposable.Dispose()
    {
        _listener.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public async Task Publish_SettlesAllItBegan()
    {
        await using InProcessEventBus bus = NewBus();
        using Subscription<int> closing = bus.Subscribe<int>("t", new() { Capacity = 1, Overflow = OverflowPolicy.Close });
        bus.Publish("t", 0);
        using Subscription<int> first = bus.Subscribe<int>("t"), second = bus.Subscribe<int>("t");
        Task<Envelope<int>>[] reads = [first.Reader.ReadAsync().AsTask(), second.Reader.ReadAsync().AsTask()];

        bus.Publish("t", 1).Should().Be(new PublishResult(Matched: 3, Dropped: 1));

        (await Task.WhenAll(reads).Soon()).Should().OnlyContain(e => e.Event == 1);
        bus.GetSubscriptions().Should().HaveCount(2, "the channel that overflowed is in no route any more");
        _thrown.Should().BePositive();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Handler_GoesOn(int concurrency)
    {
        const int Events = 100;
        ConcurrentBag<int> handled = [];
        await using InProcessEventBus bus = NewBus();
        HandlerSubscription handler = bus.Handle<int>(
            "t:*",
            (envelope, _) =>
            {
                handled.Add(envelope.Event);
                return default;
            },
            new() { MaxConcurrency = concurrency });

        for (int i = 0; i < Events; i++)
            bus.Publish($"t:{i % 7}", i);

        await bus.WhenIdleAsync();
        handled.Should().BeEquivalentTo(Enumerable.Range(0, Events));
        await handler.DisposeAsync().Soon();
    }

    [Fact]
    public async Task Observer_GetsEverything()
    {
        await using InProcessEventBus bus = NewBus();
        using Subscription<int> subscription = bus.Subscribe<int>("t");
        TaskCompletionSource<int> last = new();
        using IDisposable attached = subscription.AsObservable().Subscribe(new Watcher(e => _ = e.Event == 9 && last.TrySetResult(9)));

        for (int i = 0; i < 10; i++)
            bus.Publish("t", i);

        await last.Task.Soon();
        subscription.Delivered.Should().Be(10);
    }

    [Fact]
    public async Task PublishAsync_TimedOut_ThrowsNothingIntoTheTimer()
    {
        await using InProcessEventBus bus = NewBus();
        using Subscription<int> full = bus.Subscribe<int>("t", new() { Capacity = 1 });
        bus.Publish("t", 1);
        Task<PublishResult> waiting = bus.PublishAsync("t", 2).AsTask();

        _clock.Invoking(c => c.Advance(TimeSpan.FromSeconds(1))).Should().NotThrow();

        (await waiting.Soon()).Should().Be(new PublishResult(Matched: 1, Dropped: 1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Spans_OfAListenerThatThrows_StopNoHandlerAndLeaveNothingBehind(bool atStart)
    {
        using ActivityListener spans = new()
        {
            ShouldListenTo = source => source.Name == EventBusTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStarted = _ => ThrowIf(atStart),
            ActivityStopped = _ => ThrowIf(!atStart),
            ExceptionRecorder = (Activity _, Exception _, ref TagList _) => Throw(),
        };
        ActivitySource.AddActivityListener(spans);
        await using InProcessEventBus bus = NewBus();
        List<int> handled = [];
        bus.Handle<int>(
            "t",
            (envelope, _) =>
            {
                handled.Add(envelope.Event);
                return envelope.Event % 2 == 0 ? default : throw new InvalidOperationException("Odd.");
            });

        using Activity mine = new Activity("mine").Start();
        for (int i = 0; i < 10; i++)
        {
            bus.Publish("t", i).Matched.Should().Be(1);
            Activity.Current.Should().BeSameAs(mine, "the publish's own span is over");
        }

        await bus.WhenIdleAsync();
        handled.Should().Equal(Enumerable.Range(0, 10));
        bus.GetStatistics().HandlerFailures.Should().Be(5);
        _thrown.Should().BePositive();
    }

    private InProcessEventBus NewBus() => new(timeProvider: _clock, meterFactory: this);

    private void ThrowIf(bool when)
    {
        if (when)
            Throw();
    }

    private void Throw()
    {
        Interlocked.Increment(ref _thrown);
        throw new InvalidOperationException("The exporter is down.");
    }

    private sealed class Watcher(Action<Envelope<int>> onNext) : IObserver<Envelope<int>>
    {
        public void OnNext(Envelope<int> value) => onNext(value);

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }
    }
}
