using EventBus.Tests.Handling;
using FsCheck;
using FsCheck.Fluent;

namespace EventBus.Tests.Stress;

public sealed class WriteBehindStressTests
{
    private const int Publishers = 8;
    private const int EventsEach = 1_000;

    /// <summary>
    /// Invariant: what was accepted, and nothing else, is stored once (by id) and broadcast once, both in the same order, in which
    /// every publisher's events are in its own; a flush returns only when all accepted before it are broadcast.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Publish_ManyAtOnceOverAStoreThatFailsNowAndThen_StoresAndBroadcastsExactlyWhatWasAccepted(int seed)
    {
        using InProcessEventBus bus = new();
        using Subscription<(int Publisher, int Number)> listener = bus.Subscribe<(int, int)>(
            "#", new SubscriptionOptions { Capacity = Publishers * EventsEach });
        FlakyStore store = new(seed);
        WriteBehindOptions options = new()
        {
            FlushInterval = TimeSpan.FromMilliseconds(1),
            RetryDelay = TimeSpan.FromMilliseconds(1),
            MaxBatchSize = 64,
            Capacity = 100,
        };
        await using WriteBehindPublisher<(int, int)> writeBehind = new(bus, store, options);

        List<int>[] accepted = await Task.WhenAll(Enumerable.Range(0, Publishers).Select(p => Task.Run(() => PublishAsync(p))))
            .WaitAsync(TimeSpan.FromMinutes(2));
        await writeBehind.DisposeAsync();

        (int Publisher, int Number)[] broadcast = listener.ReadEvents();
        broadcast.Should().Equal(store.Stored, $"with seed {seed} all that is stored is broadcast in the same order");
        store.HasOverlapped.Should().BeFalse();
        for (int publisher = 0; publisher < Publishers; publisher++)
        {
            broadcast.Where(e => e.Publisher == publisher).Select(e => e.Number).Should().Equal(
                accepted[publisher], $"with seed {seed} publisher {publisher} had these accepted, in this order");
        }

        async Task<List<int>> PublishAsync(int publisher)
        {
            System.Random random = new((seed * 1000) + publisher);
            List<int> own = [];
            for (int number = 0; number < EventsEach; number++)
            {
                switch (random.Next(10))
                {
                    case < 5:
                        if (writeBehind.Publish($"run:{publisher}", (publisher, number)))
                            own.Add(number);
                        break;
                    case < 9:
                        await writeBehind.PublishAsync($"run:{publisher}", (publisher, number));
                        own.Add(number);
                        break;
                    default:
                        if (await TryPublishWithCancellationAsync(publisher, number))
                            own.Add(number);
                        break;
                }

                if (random.Next(500) == 0)
                {
                    await writeBehind.FlushAsync();
                    store.LastOf(publisher).Should().Be(own.Count == 0 ? -1 : own[^1], $"with seed {seed} all before the flush is stored");
                }
            }

            return own;
        }

        async Task<bool> TryPublishWithCancellationAsync(int publisher, int number)
        {
            using CancellationTokenSource source = new();
            ValueTask publish = writeBehind.PublishAsync($"run:{publisher}", (publisher, number), source.Token);
            Task cancelling = source.CancelAsync();
            bool published = true;
            try
            {
                await publish;
            }
            catch (OperationCanceledException)
            {
                published = false;
            }

            await cancelling;
            return published;
        }
    }

    [Fact]
    public void Publish_WhateverTheOptionsAndTheFailures_StoresAndBroadcastsAllInOrder()
    {
        Gen<(int, int, int, bool[])> cases =
            from capacity in Gen.Choose(1, 20)
            from batchSize in Gen.Choose(1, 20)
            from count in Gen.Choose(0, 60)
            from failures in Gen.ArrayOf(Gen.Elements(true, false))
            select (capacity, batchSize, count, failures);

        Prop.ForAll(cases.ToArbitrary(), c => RunAsync(c.Item1, c.Item2, c.Item3, c.Item4).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(100));

        // On a thread without xunit's synchronization context: blocking it would keep the test's own continuations from running.
        static Task<bool> RunAsync(int capacity, int batchSize, int count, bool[] failures) => Task.Run(async () =>
        {
            RecordingStore<int> store = new()
            {
                OnAppend = (call, _) => call <= failures.Length && failures[call - 1] ? throw new IOException("down") : ValueTask.CompletedTask,
            };
            using InProcessEventBus bus = new();
            using Subscription<int> listener = bus.Subscribe<int>("#");
            WriteBehindPublisher<int> writeBehind = new(bus, store, new WriteBehindOptions
            {
                Capacity = capacity,
                MaxBatchSize = batchSize,
                FlushInterval = TimeSpan.FromMilliseconds(1),
                RetryDelay = TimeSpan.FromMilliseconds(1),
            });
            for (int i = 0; i < count; i++)
                await writeBehind.PublishAsync("run:1", i).Soon();
            await writeBehind.DisposeAsync().Soon();
            return store.Events.SequenceEqual(Enumerable.Range(0, count))
                && listener.ReadEvents().SequenceEqual(Enumerable.Range(0, count))
                && store.Calls.All(batch => batch.Count <= Math.Min(batchSize, capacity));
        });
    }

    /// <summary>Fails before storing, or after it, or not, and sometimes lets go of the thread in between.</summary>
    private sealed class FlakyStore(int seed) : IEventStore<(int Publisher, int Number)>
    {
        private readonly System.Random _random = new(seed);
        private readonly Lock _gate = new();
        private readonly Dictionary<long, (int, int)> _stored = [];
        private readonly List<(int Publisher, int Number)> _order = [];
        private readonly int[] _last = [.. Enumerable.Repeat(-1, Publishers)];
        private int _running;

        public bool HasOverlapped { get; private set; }

        public IReadOnlyList<(int Publisher, int Number)> Stored => _order;

        public int LastOf(int publisher)
        {
            lock (_gate)
                return _last[publisher];
        }

        public async ValueTask AppendAsync(IReadOnlyList<BufferedEvent<(int Publisher, int Number)>> batch, CancellationToken cancellationToken)
        {
            HasOverlapped |= Interlocked.Increment(ref _running) > 1;
            try
            {
                int chance = _random.Next(10);
                if (chance == 0)
                    throw new IOException("Failed before anything was stored.");
                if (chance < 5)
                    await Task.Yield();
                lock (_gate)
                {
                    foreach (BufferedEvent<(int Publisher, int Number)> buffered in batch)
                    {
                        if (!_stored.TryAdd(buffered.Id, buffered.Event))
                            continue;
                        _order.Add(buffered.Event);
                        _last[buffered.Event.Publisher] = buffered.Event.Number;
                    }
                }

                if (chance == 9)
                    throw new IOException("Failed after all was stored.");
            }
            finally
            {
                Interlocked.Decrement(ref _running);
            }
        }
    }
}
