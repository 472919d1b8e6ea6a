using System.Threading.Channels;

namespace EventBus.Tests.Delivery;

/// <summary>A subscription as an observable: every observer gets every event, one call at a time, and is told of the end.</summary>
public sealed class ObservableTests : IDisposable
{
    private readonly RecordedLog _log = new();
    private readonly InProcessEventBus _bus;
    private readonly Subscription<int> _subscription;

    public ObservableTests()
    {
        _bus = new(loggerFactory: _log);
        _subscription = _bus.Subscribe<int>("t");
    }

    public void Dispose() => _bus.Dispose();

    [Fact]
    public async Task SeveralObservers_EachGetEveryEvent()
    {
        Recorder first = new(), second = new();
        _subscription.AsObservable().Subscribe(first);
        _subscription.AsObservable().Subscribe(second);

        Publish(1, 2, 3);

        (await first.TakeAsync(3)).Should().Equal("1", "2", "3");
        (await second.TakeAsync(3)).Should().Equal("1", "2", "3");
    }

    [Fact]
    public async Task Observers_InheritNothingOfWhoeverAttachedFirst()
    {
        AsyncLocal<string?> local = new() { Value = "the first attacher's" };
        TaskCompletionSource<string?> seen = new();
        using IDisposable first = _subscription.AsObservable().Subscribe(new Recorder());
        local.Value = null;
        using IDisposable second = _subscription.AsObservable().Subscribe(new Looker(() => seen.TrySetResult(local.Value)));

        Publish(1);

        (await seen.Task.Soon()).Should().BeNull();
    }

    [Fact]
    public async Task NoObserver_NothingIsRead()
    {
        _subscription.AsObservable().Should().BeSameAs(_subscription.AsObservable());
        Publish(1, 2);
        _subscription.Count.Should().Be(2);

        Recorder late = new();
        _subscription.AsObservable().Subscribe(late);
        (await late.TakeAsync(2)).Should().Equal("1", "2");
    }

    [Fact]
    public async Task Detach_InTheCall_ReadsNoMore()
    {
        Recorder one = new();
        one.Attachment = new(() => _subscription.AsObservable().Subscribe(one));
        one.DetachAfter = 1;
        Publish(1, 2, 3);

        _ = one.Attachment.Value;

        (await one.TakeAsync(1)).Should().Equal("1");
        await one.Detached.Task.Soon();
        _subscription.ReadEvents().Should().Equal(2, 3);
    }

    [Fact]
    public async Task Detach_TheLast_LeavesTheSubscriptionForTheNextObserver()
    {
        Recorder first = new(), second = new();
        using (_subscription.AsObservable().Subscribe(first))
        {
            Publish(1);
            await first.TakeAsync(1);
        }

        _subscription.AsObservable().Subscribe(second);
        Publish(2);

        (await second.TakeAsync(1)).Should().Equal("2");
        first.Rest().Should().BeEmpty();
        _bus.HasSubscribers("t").Should().BeTrue();
    }

    [Fact]
    public async Task Detach_OneOfTwoAndTwice_LeavesTheOther()
    {
        Recorder first = new(), second = new();
        IDisposable attachment = _subscription.AsObservable().Subscribe(first);
        _subscription.AsObservable().Subscribe(second);
        attachment.Dispose();
        attachment.Dispose();

        Publish(1);

        (await second.TakeAsync(1)).Should().Equal("1");
        first.Rest().Should().BeEmpty();
    }

    [Fact]
    public async Task ObserverThrows_IsDetachedAndLogged_TheOthersGoOn()
    {
        Recorder bad = new() { Failure = new InvalidTimeZoneException("mine") }, good = new();
        _subscription.AsObservable().Subscribe(bad);
        _subscription.AsObservable().Subscribe(good);

        Publish(1, 2);

        (await good.TakeAsync(2)).Should().Equal("1", "2");
        LogLine line = await _log.NextAsync();
        line.Exception.Should().BeSameAs(bad.Failure);
        line.Message.Should().Contain("\"t\"");
        (await bad.TakeAsync(1)).Should().Equal("1");
        _bus.Complete("t");
        (await good.TakeAsync(1)).Should().Equal("completed");
        bad.Rest().Should().BeEmpty();
    }

    [Theory]
    [InlineData("complete")]
    [InlineData("dispose")]
    [InlineData("bus")]
    public async Task End_CompletesEveryObserver(string end)
    {
        Recorder first = new(), second = new();
        _subscription.AsObservable().Subscribe(first);
        _subscription.AsObservable().Subscribe(second);
        Publish(1);
        await first.TakeAsync(1);
        await second.TakeAsync(1);

        if (end == "complete")
            _bus.Complete("t");
        else if (end == "dispose")
            _subscription.Dispose();
        else
            _bus.Dispose();

        (await first.TakeAsync(1)).Should().Equal("completed");
        (await second.TakeAsync(1)).Should().Equal("completed");
    }

    [Fact]
    public async Task End_WithQueued_CompletesAfterThem()
    {
        Publish(1, 2);
        _bus.Complete("t");
        Recorder late = new();

        _subscription.AsObservable().Subscribe(late);

        (await late.TakeAsync(3)).Should().Equal("1", "2", "completed");
        Recorder later = new();
        _subscription.AsObservable().Subscribe(later);
        (await later.TakeAsync(1)).Should().Equal("completed");
    }

    [Fact]
    public async Task Overflow_UnderClose_IsEveryObserversErrorAfterWhatWasQueued()
    {
        Subscription<int> subscription = _bus.Subscribe<int>("c", new() { Capacity = 1, Overflow = OverflowPolicy.Close });
        _bus.Publish("c", 1);
        _bus.Publish("c", 2);
        Recorder first = new(), late = new();

        subscription.AsObservable().Subscribe(first);

        (await first.TakeAsync(2)).Should().Equal("1", nameof(SubscriptionOverflowException));
        subscription.AsObservable().Subscribe(late);
        (await late.TakeAsync(1)).Should().Equal(nameof(SubscriptionOverflowException));
    }

    [Fact]
    public async Task ObserverThrowsAtTheEnd_IsLogged_TheOthersAreToldAllTheSame()
    {
        Recorder bad = new() { Failure = new InvalidTimeZoneException("mine") }, good = new();
        _bus.Complete("t");
        _subscription.AsObservable().Subscribe(bad);
        (await bad.TakeAsync(1)).Should().Equal("completed");
        (await _log.NextAsync()).Exception.Should().BeSameAs(bad.Failure);

        _subscription.AsObservable().Subscribe(good);
        (await good.TakeAsync(1)).Should().Equal("completed");
    }

    [Fact]
    public async Task Observers_ThatComeAndGo_GetEveryEventInOrderAndNeverTwoCallsAtOnce()
    {
        const int count = 2000;
        int inside = 0, overlaps = 0;
        List<int> seen = [];
        Calls observer = new(e =>
        {
            overlaps += Interlocked.Increment(ref inside) == 1 ? 0 : 1;
            seen.Add(e);
            Interlocked.Decrement(ref inside);
        });

        // The next one is there before the last one leaves.
        IDisposable attachment = _subscription.AsObservable().Subscribe(observer);
        for (int i = 0; i < count; i++)
        {
            await _bus.PublishAsync("t", i);
            IDisposable next = _subscription.AsObservable().Subscribe(observer);
            attachment.Dispose();
            attachment = next;
        }

        _bus.Complete("t");
        await observer.Completed.Task.Soon();

        overlaps.Should().Be(0);
        seen.Should().BeInAscendingOrder();
        seen.Distinct().Should().Equal(Enumerable.Range(0, count));
    }

    [Fact]
    public async Task Observers_ThatLeaveAndAreReplaced_TogetherGetEveryEventOnce()
    {
        int inside = 0, overlaps = 0;
        List<int> seen = [];
        Calls observer = new(e =>
        {
            overlaps += Interlocked.Increment(ref inside) == 1 ? 0 : 1;
            seen.Add(e);
            Interlocked.Decrement(ref inside);
        });
        for (int i = 0; i < 2000; i++)
        {
            IDisposable attachment = _subscription.AsObservable().Subscribe(observer);
            await _bus.PublishAsync("t", i);
            attachment.Dispose();
        }

        _subscription.AsObservable().Subscribe(observer);
        _bus.Complete("t");
        await observer.Completed.Task.Soon();

        overlaps.Should().Be(0);
        seen.Should().Equal(Enumerable.Range(0, 2000));
    }

    [Fact]
    public void Subscribe_NoObserver_IsRefused() =>
        FluentActions.Invoking(() => _subscription.AsObservable().Subscribe(null!)).Should().Throw<ArgumentNullException>();

    private void Publish(params int[] events)
    {
        foreach (int e in events)
            _bus.Publish("t", e);
    }

    /// <summary>Keeps what it is told; each call can be awaited.</summary>
    private sealed class Recorder : IObserver<Envelope<int>>
    {
        private readonly Channel<string> _calls = Channel.CreateUnbounded<string>();
        private int _count;

        public Exception? Failure { get; init; }

        public Lazy<IDisposable>? Attachment { get; set; }

        public int DetachAfter { get; set; }

        public TaskCompletionSource Detached { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task<List<string>> TakeAsync(int count)
        {
            List<string> calls = [];
            while (calls.Count < count)
                calls.Add(await _calls.Reader.ReadAsync().Soon());
            return calls;
        }

        public List<string> Rest()
        {
            List<string> rest = [];
            while (_calls.Reader.TryRead(out string? call))
                rest.Add(call);
            return rest;
        }

        public void OnNext(Envelope<int> value)
        {
            if (++_count == DetachAfter)
            {
                Attachment!.Value.Dispose();
                Detached.SetResult();
            }

            Told($"{value.Event}");
        }

        public void OnCompleted() => Told("completed");

        public void OnError(Exception error) => Told(error.GetType().Name);

        private void Told(string call)
        {
            _calls.Writer.TryWrite(call).Should().BeTrue();
            if (Failure is not null)
                throw Failure;
        }
    }

    private sealed class Calls(Action<int> next) : IObserver<Envelope<int>>
    {
        public TaskCompletionSource Completed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void OnNext(Envelope<int> value) => next(value.Event);

        public void OnCompleted() => Completed.TrySetResult();

        public void OnError(Exception error) => Completed.TrySetException(error);
    }

    private sealed class Looker(Action look) : IObserver<Envelope<int>>
    {
        public void OnNext(Envelope<int> value) => look();

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }
    }
}
