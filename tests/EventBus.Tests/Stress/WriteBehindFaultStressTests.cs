using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using EventBus.Tests.Handling;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Stress;

public sealed class WriteBehindFaultStressTests
{
    private const int Publishers = 4;
    private const int EventsEach = 500;

    /// <summary>
    /// Invariant: with a store, a logger and a meter's listener that throw at random, everything that was accepted is either stored and
    /// broadcast, or refused and told: once, and both in the order of publishing. Nothing that the store takes is refused.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Publish_EverythingThrowsAtRandom_AccountsForEveryEvent(int seed)
    {
        using FaultyPlugs plugs = new(seed);
        using InProcessEventBus bus = new(loggerFactory: plugs, meterFactory: plugs);
        SubscriptionOptions unlimited = new() { Capacity = Publishers * EventsEach };
        using Subscription<(int Publisher, int Number)> listener = bus.Subscribe<(int, int)>("#", unlimited);
        using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe<BusEvent.HandlerFailed>("$bus:failures", unlimited);
        RefusingStore store = new(seed);
        WriteBehindOptions options = new()
        {
            FlushInterval = TimeSpan.FromMilliseconds(1),
            RetryDelay = TimeSpan.FromMilliseconds(1),
            MaxRetryDelay = TimeSpan.FromMilliseconds(2),
            MaxBatchSize = 64,
            Capacity = 100,
            MaxAttempts = 10,
        };
        WriteBehindPublisher<(int, int)> writeBehind = new(bus, store, options, loggerFactory: plugs);

        await Task.WhenAll(Enumerable.Range(0, Publishers).Select(p => Task.Run(async () =>
        {
            for (int number = 0; number < EventsEach; number++)
                await writeBehind.PublishAsync($"run:{p}", (p, number));
            await writeBehind.FlushAsync();
        }))).WaitAsync(TimeSpan.FromMinutes(2));
        await writeBehind.DisposeAsync().Soon();

        (int Publisher, int Number)[] broadcast = listener.ReadEvents();
        broadcast.Should().Equal(store.Stored, $"with seed {seed} all that is stored is broadcast once, in the same order");
        for (int publisher = 0; publisher < Publishers; publisher++)
        {
            broadcast.Where(e => e.Publisher == publisher).Select(e => e.Number).Should().Equal(
                Enumerable.Range(0, EventsEach).Where(n => !RefusingStore.Refuses((publisher, n))), $"with seed {seed}");
        }

        int refused = Publishers * EventsEach / RefusingStore.Every;
        failures.ReadEvents().Should().HaveCount(refused).And.OnlyContain(f => f.Exception.Message == RefusingStore.Message);
        bus.GetStatistics().HandlerFailures.Should().Be(refused);
        writeBehind.Count.Should().Be(0);
        plugs.Thrown.Should().BeGreaterThan(0);
    }

    [Fact]
    public void MaxAttempts_WhateverIsRefused_GivesUpThatAndNothingElse()
    {
        Gen<(int, int, bool[])> cases =
            from batchSize in Gen.Choose(1, 20)
            from maxAttempts in Gen.Choose(1, 3)
            from refused in Gen.ArrayOf(Gen.Frequency((3, Gen.Constant(false)), (1, Gen.Constant(true))))
            select (batchSize, maxAttempts, refused);

        Prop.ForAll(cases.ToArbitrary(), c => RunAsync(c.Item1, c.Item2, c.Item3).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(30));

        // On a thread without xunit's synchronization context: blocking it would keep the test's own continuations from running.
        static Task<bool> RunAsync(int batchSize, int maxAttempts, bool[] refused) => Task.Run(async () =>
        {
            RecordingStore<int> store = new()
            {
                OnBatch = batch => _ = batch.Any(b => refused[b.Event]) ? throw new IOException("refused") : true,
            };
            using InProcessEventBus bus = new();
            using Subscription<int> listener = bus.Subscribe<int>("#");
            using Subscription<BusEvent.HandlerFailed> failures = bus.Subscribe<BusEvent.HandlerFailed>("$bus:failures");
            WriteBehindPublisher<int> writeBehind = new(bus, store, new WriteBehindOptions
            {
                MaxAttempts = maxAttempts,
                MaxBatchSize = batchSize,
                RetryDelay = TimeSpan.FromMilliseconds(1),
                MaxRetryDelay = TimeSpan.FromMilliseconds(1),
            });
            for (int i = 0; i < refused.Length; i++)
                writeBehind.Publish($"run:{i}", i);
            await writeBehind.DisposeAsync().Soon();
            int[] taken = [.. Enumerable.Range(0, refused.Length).Where(i => !refused[i])];
            return store.Events.SequenceEqual(taken)
                && listener.ReadEvents().SequenceEqual(taken)
                && failures.ReadEvents().Select(f => f.Topic).SequenceEqual(
                    Enumerable.Range(0, refused.Length).Except(taken).Select(i => $"run:{i}"))
                && Enumerable.Range(0, refused.Length).Where(i => refused[i]).All(
                    i => store.Calls.Count(batch => batch.Count == 1 && batch[0].Event == i) == maxAttempts);
        });
    }

    /// <summary>Refuses some events for good, and beside that fails now and then: before storing, or after it.</summary>
    private sealed class RefusingStore(int seed) : IEventStore<(int Publisher, int Number)>
    {
        public const int Every = 100;
        public const string Message = "This one is refused.";
        private readonly System.Random _random = new(seed);
        private readonly HashSet<long> _ids = [];

        public List<(int Publisher, int Number)> Stored { get; } = [];

        public static bool Refuses((int Publisher, int Number) @event) => @event.Number % Every == 7;

        public async ValueTask AppendAsync(IReadOnlyList<BufferedEvent<(int Publisher, int Number)>> batch, CancellationToken cancellationToken)
        {
            int chance = _random.Next(10);
            if (batch.Any(b => Refuses(b.Event)))
                throw new IOException(Message);
            if (chance == 0)
                throw new IOException("Failed before anything was stored.");
            if (chance < 5)
                await Task.Yield();
            foreach (BufferedEvent<(int Publisher, int Number)> buffered in batch)
            {
                if (_ids.Add(buffered.Id))
                    Stored.Add(buffered.Event);
            }

            if (chance == 9)
                throw new IOException("Failed after all was stored.");
        }
    }

    /// <summary>A logger, and a listener to a meter of its own, that throw every other time.</summary>
    private sealed class FaultyPlugs : ILoggerFactory, ILogger, IMeterFactory
    {
        private readonly ConcurrentBag<Meter> _meters = [];
        private readonly MeterListener _listener = new();
        private readonly System.Random _random;
        private readonly Lock _gate = new();
        private int _thrown;

        public FaultyPlugs(int seed)
        {
            _random = new System.Random(seed);
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (_meters.Contains(instrument.Meter))
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, _, _, _) => MayThrow());
            _listener.SetMeasurementEventCallback<double>((_, _, _, _) => MayThrow());
            _listener.Start();
        }

        public int Thrown => Volatile.Read(ref _thrown);

        public Meter Create(MeterOptions options)
        {
            Meter meter = new(options);
            _meters.Add(meter);
            return meter;
        }

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel)
        {
            MayThrow();
            return true;
        }

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => MayThrow();

        public void Dispose()
        {
            _listener.Dispose();
            foreach (Meter meter in _meters)
                meter.Dispose();
        }

        private void MayThrow()
        {
            lock (_gate)
            {
                if (_random.Next(2) == 0)
                    return;
            }

            Interlocked.Increment(ref _thrown);
            throw new InvalidOperationException("It is its own affair.");
        }
    }
}
