namespace EventBus.Tests.Handling;

public sealed class HandlerFilterTests
{
    private readonly List<string> _told = [];

    [Fact]
    public async Task Filters_NestInOrderOfRegistration_AroundEachAttempt()
    {
        await using InProcessEventBus bus = new();
        int attempts = 0;
        bus.Handle<string>(
            "topic",
            (_, _) =>
            {
                _told.Add($"attempt {++attempts}");
                return attempts == 1 ? throw new InvalidOperationException("once") : default;
            },
            new()
            {
                MaxAttempts = 2,
                RetryDelay = TimeSpan.Zero,
                Filters = { TestFilter.Telling("outer", _told), TestFilter.Telling("inner", _told) },
            });

        bus.Publish("topic", "a");
        await bus.WhenIdleAsync();

        _told.Should().Equal(
            "outer in", "inner in", "attempt 1", "inner out", "outer out",
            "outer in", "inner in", "attempt 2", "inner out", "outer out");
        bus.GetStatistics().HandlerFailures.Should().Be(0);
    }

    [Fact]
    public async Task FilterThatDoesNotGoOn_CountsTheEventAsHandled()
    {
        await using InProcessEventBus bus = new();
        TestFilter onlyOdd = new((context, next, token) => (int)context.Events[0] % 2 == 0 ? default : next(token));
        List<int> handled = [];
        bus.Handle<int>("topic", (e, _) => Add(handled, e.Event), new() { Filters = { onlyOdd }, MaxAttempts = 3 });

        for (int i = 1; i <= 5; i++)
            bus.Publish("topic", i);
        await bus.WhenIdleAsync();

        handled.Should().Equal(1, 3, 5);
        bus.GetStatistics().HandlerFailures.Should().Be(0);
    }

    [Fact]
    public async Task Filter_MayHandOnAnotherToken()
    {
        await using InProcessEventBus bus = new();
        using CancellationTokenSource other = new();
        CancellationToken given = default, received = default;
        TestFilter filter = new((_, next, token) =>
        {
            given = token;
            return next(other.Token);
        });
        HandlerSubscription subscription = bus.Handle<string>(
            "topic",
            (_, token) =>
            {
                received = token;
                return default;
            },
            new() { Filters = { filter } });

        bus.Publish("topic", "a");
        await bus.WhenIdleAsync();

        received.Should().Be(other.Token);
        subscription.Dispose();
        await subscription.Completion.Soon();
        given.IsCancellationRequested.Should().BeTrue("it is the handler's token");
    }

    [Fact]
    public async Task FilterThatGoesOnTwice_RunsTheHandlerTwice()
    {
        await using InProcessEventBus bus = new();
        TestFilter twice = new(async (_, next, token) =>
        {
            await next(token);
            await next(token);
        });
        List<string> handled = [];
        bus.Handle<string>("topic", (e, _) => Add(handled, e.Event), new() { Filters = { twice } });

        bus.Publish("topic", "a");
        await bus.WhenIdleAsync();

        handled.Should().Equal("a", "a");
    }

    [Fact]
    public async Task FilterThatTranslatesAnException_HasItsOwnReported_AndAsksAboutIt()
    {
        await using InProcessEventBus bus = new();
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        List<Exception> asked = [];
        TestFilter translating = new(async (_, next, token) =>
        {
            try
            {
                await next(token);
            }
            catch (InvalidOperationException exception)
            {
                throw new NotSupportedException("translated", exception);
            }
        });
        bus.Handle<string>("topic", (_, _) => throw new InvalidOperationException("own"), new()
        {
            Filters = { translating },
            MaxAttempts = 2,
            RetryDelay = TimeSpan.Zero,
            ShouldRetry = e =>
            {
                asked.Add(e);
                return true;
            },
        });

        bus.Publish("topic", "a");
        await bus.WhenIdleAsync();

        asked.Should().ContainSingle().Which.Should().BeOfType<NotSupportedException>();
        BusEvent.HandlerFailed failed = failures.ReadEvents().Should().ContainSingle().Subject;
        failed.Exception.Should().BeOfType<NotSupportedException>().Which.InnerException!.Message.Should().Be("own");
        failed.Attempts.Should().Be(2);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(true, 4)]
    [InlineData(false, 4)]
    public async Task FilterThatThrows_IsAsIfTheHandlerThrew(bool before, int concurrency)
    {
        const int Events = 20;
        await using InProcessEventBus bus = new();
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe(BusEvent.FailuresTopic);
        TestFilter broken = new(async (_, next, token) =>
        {
            if (!before)
                await next(token);
            throw new InvalidOperationException("the filter's");
        });
        int calls = 0;
        bus.Handle<int>(
            "topic:*",
            (_, _) =>
            {
                Interlocked.Increment(ref calls);
                return default;
            },
            new() { Filters = { broken }, MaxAttempts = 2, RetryDelay = TimeSpan.Zero, MaxConcurrency = concurrency });

        for (int i = 0; i < Events; i++)
            bus.Publish($"topic:{i % 5}", i);
        await bus.WhenIdleAsync();

        calls.Should().Be(before ? 0 : 2 * Events);
        failures.ReadEvents().Should().HaveCount(Events).And.OnlyContain(f => f.Exception.Message == "the filter's" && f.Attempts == 2);
        bus.GetStatistics().HandlerFailures.Should().Be(Events);
    }

    [Fact]
    public async Task Context_TellsOfTheAttempt()
    {
        EventBusOptions options = new();
        await using InProcessEventBus bus = new(options.KeepHistory("run:#"));
        List<HandlerContext> contexts = [];
        TestFilter filter = new((context, next, token) =>
        {
            contexts.Add(context);
            return next(token);
        });
        bus.Handle<object>(
            "run:*", (_, _) => throw new InvalidOperationException("always"), new() { Filters = { filter }, MaxAttempts = 2, RetryDelay = TimeSpan.Zero });

        bus.Publish("run:1", 42);
        await bus.WhenIdleAsync();

        Envelope<object> envelope = bus.GetHistory<object>("run:1").Single();
        contexts.Select(c => c.Attempt).Should().Equal(1, 2);
        contexts.Should().OnlyContain(c => c.Topic == "run:1" && c.EventType == typeof(int) && c.Events.Single().Equals(42)
            && c.Sequence == envelope.Sequence && c.PublishedAt == envelope.PublishedAt && c.Services == null
            && c.Handler.Contains(nameof(HandlerFilterTests)));
        envelope.Sequence.Should().BePositive();
    }

    [Fact]
    public async Task Filter_OfABatchHandler_WrapsTheWholeBatch()
    {
        await using InProcessEventBus bus = new();
        List<HandlerContext> contexts = [];
        TestFilter filter = new((context, next, token) =>
        {
            contexts.Add(context);
            return next(token);
        });
        List<int> handled = [];
        bus.HandleBatch<int>(
            "run:*",
            (batch, _) =>
            {
                handled.AddRange(batch.Select(e => e.Event));
                return default;
            },
            new() { Filters = { filter }, MaxBatchSize = 3 });

        for (int i = 1; i <= 3; i++)
            bus.Publish($"run:{i}", i);
        await bus.WhenIdleAsync();

        handled.Should().Equal(1, 2, 3);
        HandlerContext batch = contexts.Should().ContainSingle().Subject;
        batch.Events.Should().Equal(1, 2, 3);
        batch.Topic.Should().Be("run:1");
        batch.EventType.Should().Be<int>();
    }

    [Fact]
    public async Task Filters_AreCopiedWithTheOptions()
    {
        await using InProcessEventBus bus = new();
        HandlerOptions options = new() { Filters = { TestFilter.Telling("first", _told) } };
        bus.Handle<string>("topic", (_, _) => default, options);

        options.Filters.Clear();
        options.Filters.Add(TestFilter.Telling("later", _told));
        bus.Publish("topic", "a");
        await bus.WhenIdleAsync();

        _told.Should().Equal("first in", "first out");
    }

    [Fact]
    public void NullFilter_IsRefused()
    {
        using InProcessEventBus bus = new();

        Action handle = () => bus.Handle<string>("topic", (_, _) => default, new() { Filters = { TestFilter.Telling("a", _told), null! } });

        handle.Should().Throw<ArgumentException>().WithMessage("*Filters[1] is null*");
    }

    private static ValueTask Add<T>(List<T> list, T item)
    {
        list.Add(item);
        return default;
    }
}
