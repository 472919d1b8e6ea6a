namespace EventBus.Testing.Tests;

public sealed class EventRecorderTests : IAsyncDisposable
{
    private readonly InProcessEventBus _bus = new();

    public ValueTask DisposeAsync() => _bus.DisposeAsync();

    [Fact]
    public async Task Record_EventPublished_IsThereAtOnce()
    {
        await using EventRecorder<object> recorder = _bus.Record<object>("order:#");

        _bus.Publish("order:1", "placed");
        _bus.Publish("other", "elsewhere");
        _bus.Publish("order:2", 7);

        recorder.Events.Should().Equal("placed", 7);
        recorder.Envelopes.Select(e => e.Topic).Should().Equal("order:1", "order:2");
    }

    [Fact]
    public async Task Record_SeveralPatternsMatch_RecordsOnce()
    {
        await using EventRecorder<string> recorder = _bus.Record<string>(["order:*", "order:1", "mail"]);

        _bus.Publish("order:1", "a");
        _bus.Publish("mail", "b");

        recorder.Events.Should().Equal("a", "b");
    }

    [Fact]
    public async Task Record_TypedTopic_RecordsIt()
    {
        Topic<string> topic = new("mail");
        await using EventRecorder<string> recorder = _bus.Record(topic);

        _bus.Publish(topic, "a");

        recorder.Events.Should().Equal("a");
    }

    [Fact]
    public async Task Record_FarMoreThanAnyCapacity_LosesNothing()
    {
        const int Count = 1_200_000;
        await using EventRecorder<int> recorder = _bus.Record<int>("n");
        recorder.Stall();

        for (int i = 0; i < Count; i++)
            _bus.Publish("n", i);
        recorder.Subscription.Dropped.Should().Be(0);
        recorder.Release();

        recorder.Events.SequenceEqual(Enumerable.Range(0, Count)).Should().BeTrue();
    }

    [Fact]
    public async Task WaitForAsync_EventCameBefore_ReturnsIt()
    {
        await using EventRecorder<string> recorder = _bus.Record<string>("t");
        _bus.Publish("t", "a");
        _bus.Publish("t", "b");

        Envelope<string> found = await recorder.WaitForAsync(e => e.Event == "b");

        found.Event.Should().Be("b");
    }

    [Fact]
    public async Task WaitForAsync_EventComesLater_ReturnsIt()
    {
        await using EventRecorder<string> recorder = _bus.Record<string>("t");
        Task<Envelope<string>> waiting = recorder.WaitForAsync(e => e.Event == "wanted");
        _bus.Publish("t", "other");
        waiting.IsCompleted.Should().BeFalse();

        _bus.Publish("t", "wanted");

        (await waiting).Event.Should().Be("wanted");
    }

    [Fact]
    public async Task WaitForAsync_SomebodyElseLooksMeanwhile_StillEnds()
    {
        await using EventRecorder<int> recorder = _bus.Record<int>("t");
        for (int i = 0; i < 1000; i++)
        {
            int wanted = i;
            Task<Envelope<int>> waiting = recorder.WaitForAsync(e => e.Event == wanted);
            _bus.Publish("t", i);
            recorder.Events.Should().HaveCount(i + 1);
            await waiting;
        }
    }

    [Fact]
    public async Task WaitForAsync_NothingMeetsTheCondition_SaysWhatWasWantedAndWhatArrived()
    {
        await using EventRecorder<string> recorder = _bus.Record<string>("order:#");
        _bus.Publish("order:1", "placed");
        _bus.Publish("order:2", "paid");
        Func<Task> wait = () => recorder.WaitForAsync(e => e.Event == "shipped", TimeSpan.Zero);

        (await wait.Should().ThrowAsync<TimeoutException>()).Which.Message.ReplaceLineEndings("\n").Should().Be(
            "Waited 00:00:00 for an event with e => e.Event == \"shipped\". 2 events of String arrived on \"order:#\":\n" +
            "  order:1: placed\n  order:2: paid");
    }

    [Fact]
    public async Task WaitForAsync_TokenCancelled_IsCancelled()
    {
        await using EventRecorder<string> recorder = _bus.Record<string>("t");
        using CancellationTokenSource source = new();
        Task waiting = recorder.WaitForAsync(_ => true, cancellationToken: source.Token);

        await source.CancelAsync();

        await waiting.Invoking(w => w).Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task WaitForAsync_PredicateThrows_TheExceptionComesOut()
    {
        await using EventRecorder<string> recorder = _bus.Record<string>("t");
        _bus.Publish("t", "a");
        Func<Task> wait = () => recorder.WaitForAsync(_ => throw new FormatException());

        await wait.Should().ThrowAsync<FormatException>();
        recorder.Events.Should().Equal("a");
    }

    [Fact]
    public async Task WaitForAsync_TheTopicCompletes_EndsAtOnceInsteadOfWaiting()
    {
        await using EventRecorder<string> recorder = _bus.Record<string>("t");
        Task waiting = recorder.WaitForAsync(e => e.Event == "never");
        _bus.Publish("t", "last");

        _bus.Complete("t");

        await waiting.Invoking(w => w).Should().ThrowAsync<InvalidOperationException>().WithMessage("*ended before*t: last*");
        recorder.Events.Should().Equal("last");
    }

    [Fact]
    public async Task WaitForCountAsync_EnoughOrMore_ReturnsAll()
    {
        await using EventRecorder<int> recorder = _bus.Record<int>("t");
        Task<IReadOnlyList<Envelope<int>>> waiting = recorder.WaitForCountAsync(3);
        (await recorder.WaitForCountAsync(0)).Should().BeEmpty();

        for (int i = 1; i <= 3; i++)
            _bus.Publish("t", i);

        (await waiting).Select(e => e.Event).Should().Equal(1, 2, 3);
        (await recorder.WaitForCountAsync(2)).Should().HaveCount(3);
    }

    [Fact]
    public async Task WaitForCountAsync_TooFew_ListsThem()
    {
        await using EventRecorder<int> recorder = _bus.Record<int>("t");
        for (int i = 0; i < 150; i++)
            _bus.Publish("t", i);
        Func<Task> wait = () => recorder.WaitForCountAsync(151, TimeSpan.Zero);

        (await wait.Should().ThrowAsync<TimeoutException>()).Which.Message
            .Should().Contain("number 151").And.Contain("150 events").And.Contain("the last 100:")
            .And.Contain("t: 149").And.Contain("t: 50").And.NotContain("t: 49");
    }

    [Fact]
    public async Task Stall_BoundedChannel_OverflowsAsOfASubscriberThatHangs()
    {
        await using EventRecorder<int> recorder =
            _bus.Record<int>("t", new() { Capacity = 2, Overflow = OverflowPolicy.DropOldest });
        recorder.Stall();

        for (int i = 1; i <= 5; i++)
            _bus.Publish("t", i);

        recorder.Events.Should().BeEmpty("it does not read");
        recorder.Subscription.Dropped.Should().Be(3);
        recorder.Release();
        recorder.Events.Should().Equal(4, 5);
        recorder.Envelopes[0].Missed.Should().Be(3);
    }

    [Fact]
    public async Task Release_PublisherWaitsForRoom_LetsItGoOn()
    {
        await using EventRecorder<int> recorder = _bus.Record<int>("t", new() { Capacity = 1, WaitTimeout = TimeSpan.FromHours(1) });
        recorder.Stall();
        await _bus.PublishAsync("t", 1);
        Task<PublishResult> waiting = _bus.PublishAsync("t", 2).AsTask();
        waiting.IsCompleted.Should().BeFalse();

        recorder.Release();

        (await waiting.WaitAsync(TimeSpan.FromSeconds(30))).Dropped.Should().Be(0);
        (await recorder.WaitForCountAsync(2)).Select(e => e.Event).Should().Equal(1, 2);
    }

    [Fact]
    public async Task DisposeAsync_KeepsWhatWasRecorded_AndTakesNoMore()
    {
        EventRecorder<int> recorder = _bus.Record<int>("t");
        _bus.Publish("t", 1);

        await recorder.DisposeAsync();
        await recorder.DisposeAsync();

        _bus.Publish("t", 2).Matched.Should().Be(0);
        recorder.Events.Should().Equal(1);
    }

    [Fact]
    public async Task DisposeAsync_OfAStalledOneOrAnOverflownOne_Ends()
    {
        EventRecorder<int> stalled = _bus.Record<int>("t");
        EventRecorder<int> closed = _bus.Record<int>("t", new() { Capacity = 1, Overflow = OverflowPolicy.Close });
        stalled.Stall();
        closed.Stall();
        _bus.Publish("t", 1);
        _bus.Publish("t", 2);

        closed.Release();
        closed.Events.Should().Equal(1);
        await stalled.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        await closed.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30));
    }
}
