using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using EventBus.Testing;

namespace EventBus.Tests.Handling;

/// <summary>What a meter's listener reads of write-behinds. Each test has its own meter, so it hears nobody else's.</summary>
public sealed class WriteBehindMetricsTests
{
    private const string Depth = "eventbus.write_behind.depth";
    private const string Stored = "eventbus.write_behind.stored";
    private const string Failed = "eventbus.write_behind.failed";
    private const string OldestAge = "eventbus.write_behind.oldest_age";

    [Fact]
    public async Task Metrics_TellDepthAgeStoredAndFailed_TaggedWithTheTypeOfTheEvents()
    {
        using Meters meters = new();
        FakeTimeProvider clock = new();
        await using InProcessEventBus bus = new(timeProvider: clock, meterFactory: meters);
        RecordingStore<string> store = new();
        store.Refuse("bad");
        await using WriteBehindPublisher<string> writeBehind = new(bus, store, new WriteBehindOptions { MaxAttempts = 1, MaxBatchSize = 1 });
        meters.Read(OldestAge).Should().Equal(("String", 0));

        TaskCompletionSource gate = store.HoldUp();
        writeBehind.Publish("run:1", "good");
        await store.NextCallAsync();
        clock.Advance(TimeSpan.FromSeconds(3));
        writeBehind.Publish("run:1", "bad");
        meters.Read(Depth).Should().Equal(("String", 2));
        meters.Read(OldestAge).Should().Equal([("String", 3)], "the batch being stored is buffered too");
        gate.SetResult();
        await writeBehind.FlushAsync().Soon();

        meters.Read(Depth).Should().Equal(("String", 0));
        meters.Read(OldestAge).Should().Equal(("String", 0));
        meters.Read(Stored).Should().Equal(("String", 1));
        meters.Read(Failed).Should().Equal(("String", 1));
        meters.Instruments.Should().Contain([(Depth, "{message}"), (Stored, "{message}"), (Failed, "{message}"), (OldestAge, "s")]);
    }

    [Fact]
    public async Task Metrics_WhatIsLostOnDisposal_HasFailed()
    {
        using Meters meters = new();
        await using InProcessEventBus bus = new(meterFactory: meters);
        RecordingStore<string> store = new();
        TaskCompletionSource gate = store.HoldUp();
        WriteBehindPublisher<string> writeBehind = new(bus, store, new WriteBehindOptions { DrainTimeout = TimeSpan.Zero });
        writeBehind.Publish("run:1", "a");
        writeBehind.Publish("run:1", "b");

        await writeBehind.DisposeAsync().Soon();

        meters.Read(Failed).Should().Equal(("String", 2));
        meters.Read(Depth).Should().BeEmpty("it is disposed");
        gate.SetResult();
    }

    [Fact]
    public async Task Metrics_SeveralWriteBehindsOfABus_ShareTheInstrumentsAndHaveAMeasurementForEachType()
    {
        using Meters meters = new();
        FakeTimeProvider clock = new();
        await using InProcessEventBus bus = new(timeProvider: clock, meterFactory: meters);
        await using WriteBehindPublisher<string> first = new(bus, new RecordingStore<string>());
        await using WriteBehindPublisher<string> second = new(bus, new RecordingStore<string>());
        await using WriteBehindPublisher<int> numbers = new(bus, new RecordingStore<int>());
        first.Publish("run:1", "a");
        second.Publish("run:1", "a");
        numbers.Publish("run:1", 1);

        meters.Read(Depth).Should().BeEquivalentTo([("String", 2.0), ("Int32", 1.0)]);
        meters.Instruments.Should().OnlyHaveUniqueItems();
    }

    [Fact]
    public async Task Metrics_ListenerThatThrows_HarmsNobody()
    {
        using Meters meters = new();
        await using InProcessEventBus bus = new(meterFactory: meters);
        using Subscription<string> listener = bus.Subscribe<string>("#");
        RecordingStore<string> store = new();
        store.Refuse("bad");
        await using WriteBehindPublisher<string> writeBehind = new(
            bus, store, new WriteBehindOptions { MaxAttempts = 1, RetryDelay = TimeSpan.FromMilliseconds(1) });
        meters.Throws = true;
        writeBehind.Publish("run:1", "bad");
        writeBehind.Publish("run:1", "good");

        await writeBehind.FlushAsync().Soon();

        store.Calls.Select(c => string.Concat(c.Select(b => b.Event))).Should().Equal("badgood", "bad", "good");
        listener.ReadEvents().Should().Equal("good");
        meters.Thrown.Should().BeGreaterThan(0);
    }

    [Fact]
    public void Metrics_MeterThatOutlivesTheBus_KeepsNoWriteBehind()
    {
        using Meters meters = new();
        WeakReference forgotten = Forget(meters);

        Memory.Collect();

        forgotten.IsAlive.Should().BeFalse();
        meters.Read(Depth).Should().BeEmpty();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Forget(Meters meters)
    {
        InProcessEventBus bus = new(meterFactory: meters);
        WriteBehindPublisher<string> writeBehind = new(bus, new RecordingStore<string>());
        meters.Read(Depth).Should().Equal(("String", 0));
        return new WeakReference(writeBehind);
    }

    /// <summary>A factory of one meter, and all that its listener heard.</summary>
    private sealed class Meters : IMeterFactory
    {
        private readonly Lock _gate = new();
        private readonly MeterListener _listener = new();
        private readonly List<(string Name, string? Unit)> _instruments = [];
        private readonly List<(string Instrument, string? Type, double Value)> _heard = [];
        private Meter? _meter;
        private int _thrown;

        public Meters()
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter != _meter)
                    return;
                _instruments.Add((instrument.Name, instrument.Unit));
                listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Hear(instrument, value, tags));
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Hear(instrument, value, tags));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Hear(instrument, value, tags));
            _listener.Start();
        }

        public bool Throws { get; set; }

        public int Thrown => Volatile.Read(ref _thrown);

        public IReadOnlyList<(string Name, string? Unit)> Instruments => _instruments;

        public Meter Create(MeterOptions options) => _meter ??= new Meter(options);

        /// <summary>What an instrument told, and tells when it is asked now: the type of the events, and the number.</summary>
        public (string? Type, double Value)[] Read(string instrument)
        {
            _listener.RecordObservableInstruments();
            lock (_gate)
            {
                (string? Type, double Value)[] read = [.. _heard.Where(h => h.Instrument == instrument).Select(h => (h.Type, h.Value))];
                _heard.RemoveAll(h => h.Instrument is Depth or OldestAge);
                return read;
            }
        }

        public void Dispose()
        {
            _listener.Dispose();
            _meter?.Dispose();
        }

        private void Hear(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            if (Throws)
            {
                Interlocked.Increment(ref _thrown);
                throw new InvalidOperationException("No room for measurements.");
            }

            Dictionary<string, object?> all = new(tags.ToArray());
            if (instrument.Name.StartsWith("eventbus.write_behind", StringComparison.Ordinal))
                all.Should().Contain("messaging.system", "eventbus").And.HaveCount(2);
            lock (_gate)
                _heard.Add((instrument.Name, all.GetValueOrDefault("eventbus.event.type") as string, value));
        }
    }
}
