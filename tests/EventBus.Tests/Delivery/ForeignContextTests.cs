namespace EventBus.Tests.Delivery;

/// <summary>Where a reader goes on is its own affair: its context runs nothing on a publisher's thread, and what it throws reaches nobody.</summary>
public sealed class ForeignContextTests : IDisposable
{
    private readonly RecordedLog _log = new();
    private readonly InProcessEventBus _bus;

    public ForeignContextTests() => _bus = new(loggerFactory: _log);

    public static TheoryData<string> Reads { get; } = ["loop", "all", "one", "wait"];

    public void Dispose() => _bus.Dispose();

    [Theory]
    [MemberData(nameof(Reads))]
    public async Task Publish_ReaderGoesOnInAContextThatPostsInline_RunsNothingOfItsOnThePublishersThread(string how)
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t");
        TaskCompletionSource<int> wentOn = new();
        Start(new InlineContext(), async () =>
        {
            await ReadAsync(subscription, how);
            wentOn.SetResult(Environment.CurrentManagedThreadId);
        });

        // A thread of its own: one of the pool might be lent out meanwhile.
        int publisher = 0;
        bool hadGoneOn = true;
        Thread thread = new(() =>
        {
            publisher = Environment.CurrentManagedThreadId;
            _bus.Publish("t", 1);
            hadGoneOn = wentOn.Task.IsCompleted && wentOn.Task.GetAwaiter().GetResult() == publisher;
        });
        thread.Start();
        thread.Join();

        hadGoneOn.Should().BeFalse();
        (await wentOn.Task.Soon()).Should().NotBe(publisher);
    }

    [Theory]
    [MemberData(nameof(Reads))]
    public async Task Publish_ReadersContextThrows_OtherReadersAreWokenAndThePublisherSeesNothing(string how)
    {
        using Subscription<int> before = _bus.Subscribe<int>("t");
        using Subscription<int> closed = _bus.Subscribe<int>("t");
        using Subscription<int> after = _bus.Subscribe<int>("t");
        Task<Envelope<int>> first = before.Reader.ReadAsync().AsTask();
        Start(new ClosedContext(), () => ReadAsync(closed, how));
        Task<Envelope<int>> last = after.Reader.ReadAsync().AsTask();

        _bus.Publish("t", 7).Should().Be(new PublishResult(Matched: 3, Dropped: 0));

        (await first.Soon()).Event.Should().Be(7);
        (await last.Soon()).Event.Should().Be(7);
        (await _log.NextAsync()).Should().Match<LogLine>(l => l.Exception is InvalidOperationException && l.Message.Contains(nameof(ClosedContext)));
    }

    [Fact]
    public async Task Publish_ReadersSchedulerThrows_IsTheReadersAffair()
    {
        using Subscription<int> closed = _bus.Subscribe<int>("t");
        using Subscription<int> other = _bus.Subscribe<int>("t");
        ClosingScheduler scheduler = new();

        // Away from the context that the test runs in, which would be preferred to the scheduler.
        await Task.Run(() => Task.Factory.StartNew(
            () => _ = ReadAsync(closed, "loop"), CancellationToken.None, TaskCreationOptions.None, scheduler));
        scheduler.IsClosed = true;
        Task<Envelope<int>> read = other.Reader.ReadAsync().AsTask();

        _bus.Publish("t", 7).Should().Be(new PublishResult(Matched: 2, Dropped: 0));

        (await read.Soon()).Event.Should().Be(7);
        (await _log.NextAsync()).Message.Should().Contain(nameof(ClosingScheduler));
    }

    [Fact]
    public async Task Read_InAContextOfItsOwn_GoesOnThere()
    {
        using Subscription<int> subscription = _bus.Subscribe<int>("t");
        InlineContext context = new();
        TaskCompletionSource<SynchronizationContext?> wentOn = new();
        Start(context, async () =>
        {
            await ReadAsync(subscription, "one");
            wentOn.SetResult(SynchronizationContext.Current);
        });

        _bus.Publish("t", 1);

        (await wentOn.Task.Soon()).Should().BeSameAs(context);
    }

    private static async Task ReadAsync(Subscription<int> subscription, string how)
    {
        switch (how)
        {
            case "loop":
                await foreach (Envelope<int> envelope in subscription)
                    return;
                return;
            case "all":
                await foreach (Envelope<int> envelope in subscription.Reader.ReadAllAsync())
                    return;
                return;
            case "one":
                await subscription.Reader.ReadAsync();
                return;
            default:
                await subscription.Reader.WaitToReadAsync();
                return;
        }
    }

    private static void Start(SynchronizationContext context, Func<Task> read)
    {
        SynchronizationContext? outer = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(context);
        try
        {
            _ = read();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(outer);
        }
    }

    private sealed class InlineContext : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
            SynchronizationContext? outer = Current;
            SetSynchronizationContext(this);
            d(state);
            SetSynchronizationContext(outer);
        }
    }

    private sealed class ClosedContext : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => throw new InvalidOperationException("The window is closed.");
    }

    private sealed class ClosingScheduler : TaskScheduler
    {
        public bool IsClosed { get; set; }

        protected override void QueueTask(Task task)
        {
            if (IsClosed)
                throw new InvalidOperationException("No more work is taken.");
            TryExecuteTask(task);
        }

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

        protected override IEnumerable<Task> GetScheduledTasks() => [];
    }
}
