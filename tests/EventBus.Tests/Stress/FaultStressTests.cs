using System.Collections.Concurrent;

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

    [Theory]
    [InlineData(1, 10)]
    [InlineData(2, 100)]
    [InlineData(3, 2)]
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
            foreach (int concurrency in (int[])[1, 3])
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

    /// <summary>A handler that throws, and what became of each event it was given.</summary>
    private sealed class HandlerAccount
    {
        private readonly HandlerSubscription _subscription;
        private readonly ConcurrentDictionary<Numbered, int> _attempts = new();
        private int _handled;

        public HandlerAccount(InProcessEventBus bus, Faults faults, int concurrency) =>
            _subscription = bus.Handle<Numbered>(
                "s:*",
                async (envelope, _) =>
                {
                    _attempts.AddOrUpdate(envelope.Event, 1, (_, before) => before + 1);
                    if (envelope.Event.Number % 16 == 0)
                        await Task.Yield();
                    faults.Strike();
                    Interlocked.Increment(ref _handled);
                },
                new() { MaxConcurrency = concurrency, MaxAttempts = 2, RetryDelay = TimeSpan.Zero, Capacity = 500 });

        /// <summary>Events that were given up.</summary>
        public long Failed => _attempts.Count - _handled;

        public void ShouldHold(string because)
        {
            _subscription.Completion.IsCompletedSuccessfully.Should().BeTrue(because);
            _attempts.Values.Should().OnlyContain(attempts => attempts <= 2, because);
            _subscription.Delivered.Should().Be(_attempts.Count, because);
            _subscription.Count.Should().Be(0, because);
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
