using System.Collections.Concurrent;
using System.Globalization;

namespace EventBus.Tests.Stress;

/// <summary>Everything that is plugged into a bus throws at random, while events flow through it.</summary>
/// <remarks>
/// Invariants: no publish throws; what was matched was delivered, dropped, discarded or is still queued, to the last event; a handler handled
/// or gave up each event that was delivered to it, once; an observer's and a reader's events come in order; what write-behind took was
/// stored and broadcast, once and in order. And nothing hangs: neither the handlers' end nor the bus's.
/// </remarks>
[Collection(nameof(AloneCollection))]
public sealed class FaultStressTests
{
    private const int Publishers = 4;
    private const int EventsEach = 4_000;
    private const int Topics = 5;
    private static readonly TimeSpan Guard = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Shortly = TimeSpan.FromMilliseconds(1);

    /// <summary>Seeds, and how often something throws. By hand more of them: <c>STRESS_ROUNDS=100 dotnet test --filter FaultStress</c>.</summary>
    public static TheoryData<int, int> Rounds { get; } = MakeRounds();

    [Theory]
    [MemberData(nameof(Rounds))]
    public async Task Publish_WhateverThrows_AccountsForEveryEvent(int seed, int oneIn)
    {
        using Faults faults = new(seed, oneIn);
        FaultyPlugIns plugged = new(faults);
        InProcessEventBus bus = new(
            new EventBusOptions().KeepHistory("s:0", depth: 50, maxAge: TimeSpan.FromMinutes(1)), plugged, plugged.Clock, plugged);
        Run run = new(bus, faults);
        await run.RunAsync().WaitAsync(Guard);
        run.ShouldHold($"seed {seed}, one in {oneIn}, {faults.Thrown} thrown");
        faults.Thrown.Should().BePositive();
    }

    private static TheoryData<int, int> MakeRounds()
    {
        int count = int.TryParse(Environment.GetEnvironmentVariable("STRESS_ROUNDS"), CultureInfo.InvariantCulture, out int asked) ? asked : 3;
        TheoryData<int, int> rounds = [];
        for (int seed = 1; seed <= count; seed++)
            rounds.Add(seed, (seed % 3) switch { 0 => 2, 1 => 10, _ => 100 });
        return rounds;
    }

    private readonly record struct Numbered(int Publisher, int Number);

    private sealed class Run(InProcessEventBus bus, Faults faults)
    {
        private readonly ConcurrentQueue<string> _broken = new();
        private readonly List<HandlerAccount> _handlers = [];
        private readonly List<ObserverAccount> _observers = [];
        private readonly FaultyStore<string> _store = new(faults);
        private readonly ConcurrentQueue<string> _broadcast = new();
        private long _matched;
        private long _accepted;

        public async Task RunAsync()
        {
            foreach (int concurrency in (int[])[0, 1, 3])
                _handlers.Add(new HandlerAccount(bus, faults, concurrency));
            for (int i = 0; i < 3; i++)
                _observers.Add(new ObserverAccount(bus.Subscribe<Numbered>("s:*", new() { Capacity = 64 << i, Overflow = (OverflowPolicy)i }), faults, _broken));
            await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Task.Run(() => ReadInFaultyContext(i))));
            Subscription<string> broadcast = bus.Subscribe<string>("w", new() { Capacity = 1_000_000 });
            WriteBehindPublisher<string> durable = new(
                bus, _store, new() { FlushInterval = Shortly, RetryDelay = Shortly, MaxRetryDelay = Shortly, MaxBatchSize = 64 });

            await Task.WhenAll(Enumerable.Range(0, Publishers).Select(p => Task.Run(() => PublishAsync(p, durable))));
            await durable.FlushAsync();
            await durable.DisposeAsync();
            await bus.DisposeAsync();
            await Task.WhenAll(_observers.Select(o => o.Ended));
            foreach (Envelope<string> envelope in broadcast.ReadQueued())
                _broadcast.Enqueue(envelope.Event);
        }

        public void ShouldHold(string because)
        {
            _broken.Take(20).Should().BeEmpty(because);
            EventBusStatistics now = bus.GetStatistics();
            now.Published.Should().Be((Publishers * (long)EventsEach) + _accepted, because);
            (now.Delivered + now.Dropped + now.Discarded + now.Queued).Should().Be(_matched + _accepted, $"{because}: {now}");
            foreach (HandlerAccount handler in _handlers)
                handler.ShouldHold(because);
            now.HandlerFailures.Should().Be(_handlers.Sum(h => h.Failed), because);
            _store.Stored.Should().HaveCount((int)_accepted, because).And.OnlyHaveUniqueItems(because);
            _broadcast.Should().Equal(_store.Stored, because);
        }

        private async Task PublishAsync(int publisher, WriteBehindPublisher<string> durable)
        {
            Random random = new((faults.Seed * 100) + publisher);
            for (int i = 0; i < EventsEach; i++)
            {
                try
                {
                    string topic = $"s:{random.Next(Topics)}";
                    Numbered numbered = new(publisher, i);
                    PublishResult result = random.Next(8) == 0 ? await bus.PublishAsync(topic, numbered) : bus.Publish(topic, numbered);
                    Interlocked.Add(ref _matched, result.Matched);
                    if (random.Next(4) == 0 && durable.Publish("w", $"{publisher}:{i}"))
                        Interlocked.Increment(ref _accepted);
                }
                catch (Exception exception)
                {
                    _broken.Enqueue($"A publish threw {exception}");
                }

                if (i % 32 == 0)
                    await Task.Yield();
            }
        }

        /// <summary>
        /// Reads in a context that throws now and then: whoever reads there is stranded, and what is queued for it stays, or is discarded once
        /// the collector finds that nobody can read it any more.
        /// </summary>
        private void ReadInFaultyContext(int reader)
        {
            Subscription<Numbered> subscription = bus.Subscribe<Numbered>(
                reader % 2 == 0 ? "s:*" : $"s:{reader % Topics}",
                new() { Capacity = 100, Overflow = (OverflowPolicy)(reader % 5), WaitTimeout = TimeSpan.FromMilliseconds(1) });
            SynchronizationContext.SetSynchronizationContext(new FaultyContext(faults));
            _ = LoopAsync(subscription);
            SynchronizationContext.SetSynchronizationContext(null);
        }

        private async Task LoopAsync(Subscription<Numbered> subscription)
        {
            OrderCheck order = new(subscription, _broken);
            try
            {
                await foreach (Envelope<Numbered> envelope in subscription.Reader.ReadAllAsync())
                    order.Add(envelope);
            }
            catch (SubscriptionOverflowException)
            {
                // One of those that close.
            }
        }
    }

    /// <summary>A handler, of single events or of batches, in a filter that throws as it does; and what became of each event it was given.</summary>
    private sealed class HandlerAccount : IHandlerFilter
    {
        private readonly Faults _faults;
        private readonly HandlerSubscription _subscription;
        private readonly ConcurrentDictionary<Numbered, int> _attempts = new();
        private int _handled;
        private int _failed;

        /// <param name="bus">The bus.</param>
        /// <param name="faults">What throws.</param>
        /// <param name="concurrency">How many events at once; 0: batches.</param>
        public HandlerAccount(InProcessEventBus bus, Faults faults, int concurrency)
        {
            _faults = faults;
            HandlerOptions options = new()
            {
                MaxConcurrency = Math.Max(1, concurrency),
                MaxAttempts = 2,
                RetryDelay = TimeSpan.Zero,
                Capacity = 500,
                MaxBatchSize = 20,
                MaxBatchDelay = Shortly,
                AttemptTimeout = concurrency == 1 ? null : TimeSpan.FromMinutes(1),
                ShouldRetry = _ =>
                {
                    faults.Strike();
                    return true;
                },
                Filters = { this, new FaultyFilter(faults) },
            };
            _subscription = concurrency == 0
                ? bus.HandleBatch<Numbered>("s:*", (batch, _) => HandleAsync(batch[0].Event.Number), options)
                : bus.Handle<Numbered>("s:*", (envelope, _) => HandleAsync(envelope.Event.Number), options);
        }

        /// <summary>Events and batches that were given up.</summary>
        public long Failed => _failed;

        /// <summary>The outermost filter: what it sees is what the bus sees.</summary>
        public async ValueTask InvokeAsync(HandlerContext context, Func<CancellationToken, ValueTask> next, CancellationToken cancellationToken)
        {
            bool isNew = false;
            foreach (Numbered numbered in context.Events.Cast<Numbered>())
                isNew = _attempts.AddOrUpdate(numbered, 1, (_, before) => before + 1) == 1;

            // Failed, until it is known to be handled.
            if (isNew)
                Interlocked.Increment(ref _failed);
            await next(cancellationToken);
            Interlocked.Decrement(ref _failed);
            Interlocked.Add(ref _handled, context.Events.Count);
        }

        public void ShouldHold(string because)
        {
            _subscription.Completion.IsCompletedSuccessfully.Should().BeTrue(because);
            _attempts.Values.Should().OnlyContain(attempts => attempts <= 2, because);
            _subscription.Delivered.Should().Be(_attempts.Count, because);
            _subscription.Count.Should().Be(0, because);
            _handled.Should().BePositive(because).And.BeLessThanOrEqualTo(_attempts.Count, because);
        }

        private async ValueTask HandleAsync(int number)
        {
            if (number % 16 == 0)
                await Task.Yield();
            _faults.Strike();
        }
    }

    /// <summary>Observers that throw and are detached, each after another one has taken its place, until the subscription ends.</summary>
    private sealed class ObserverAccount
    {
        private readonly OrderCheck _order;
        private readonly Faults _faults;
        private readonly IObservable<Envelope<Numbered>> _observable;
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ObserverAccount(Subscription<Numbered> subscription, Faults faults, ConcurrentQueue<string> broken)
        {
            _order = new OrderCheck(subscription, broken);
            _faults = faults;
            _observable = subscription.AsObservable();
            _observable.Subscribe(new Observer(this));
        }

        /// <summary>Ends with the subscription.</summary>
        public Task Ended => _ended.Task;

        private sealed class Observer(ObserverAccount account) : IObserver<Envelope<Numbered>>
        {
            public void OnNext(Envelope<Numbered> value)
            {
                account._order.Add(value);
                try
                {
                    account._faults.Strike();
                }
                catch (InvalidOperationException)
                {
                    account._observable.Subscribe(new Observer(account));
                    throw;
                }
            }

            public void OnCompleted() => account._ended.TrySetResult();

            public void OnError(Exception error) => account._ended.TrySetResult();
        }
    }

    /// <summary>Each publisher's events come in order, none twice, and no more is missed than was dropped.</summary>
    private sealed class OrderCheck(Subscription<Numbered> subscription, ConcurrentQueue<string> broken)
    {
        private readonly int[] _last = [.. Enumerable.Repeat(-1, Publishers)];
        private long _missed;

        public void Add(in Envelope<Numbered> envelope)
        {
            (int publisher, int number) = envelope.Event;
            if (number <= _last[publisher])
                broken.Enqueue($"{subscription} saw {number} of publisher {publisher} after {_last[publisher]}.");
            _last[publisher] = number;
            _missed += envelope.Missed;
            if (_missed > subscription.Dropped)
                broken.Enqueue($"{subscription} was told of {_missed} missed, and dropped {subscription.Dropped}.");
        }
    }
}
