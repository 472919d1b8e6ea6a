using System.Diagnostics.Metrics;
using EventBus.Testing;
using EventBus.Tests.Handling;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Tests.Diagnostics;

/// <summary>What the meter of one bus tells of its handlers.</summary>
public sealed class HandlerTelemetryTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly MeterListener _listener = new();
    private readonly Lock _gate = new();
    private readonly List<(Instrument Instrument, double Value, string Tags)> _measured = [];

    public HandlerTelemetryTests()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // Meters of a factory are its own, so that no other test is heard.
            if (instrument.Meter.Scope == _services.GetRequiredService<IMeterFactory>())
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.Start();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _services.Dispose();
    }

    [Fact]
    public async Task EachAttempt_IsMeasuredByItself_WithoutTheDelaysBetweenThem()
    {
        FakeTimeProvider clock = new();
        await using InProcessEventBus bus = new(timeProvider: clock, meterFactory: _services.GetRequiredService<IMeterFactory>());
        int attempts = 0;
        bus.Handle<string>(
            "measured:*",
            (_, _) =>
            {
                if (++attempts > 2)
                    return default;
                if (attempts > 1)
                    throw new NotSupportedException();
                clock.Advance(TimeSpan.FromSeconds(3));
                throw new FormatException();
            },
            new() { MaxAttempts = 3, RetryDelay = TimeSpan.FromHours(1), MaxRetryDelay = TimeSpan.FromHours(24) });

        bus.Publish("measured:1", "a");
        for (int retry = 1; retry < 3; retry++)
        {
            await clock.WhenTimersAsync();
            clock.Advance(TimeSpan.FromHours(1.25 * retry));
        }

        await bus.WhenIdleAsync();

        const string Tags = "messaging.system=eventbus messaging.operation.name=process messaging.destination.template=measured:*";
        Measured("messaging.process.duration").Should().Equal(
            (3, $"{Tags} error.type=System.FormatException"), (0, $"{Tags} error.type=System.NotSupportedException"), (0, Tags));
    }

    [Fact]
    public async Task HandlersOfExactTopics_WithoutAName_AreToldApartByTheirHandler_NeverByTheirTopic()
    {
        await using InProcessEventBus bus = new(meterFactory: _services.GetRequiredService<IMeterFactory>());
        bus.Handle<string>("secret:1", First);
        bus.Handle<string>(["secret:1", "secret:2"], Second);
        bus.Handle<string>("secret:1", First, new() { Name = "named" });
        bus.Handle<string>("secret:*", First);
        using Subscription<string> reader = bus.Subscribe<string>("secret:1");

        bus.Publish("secret:1", "a");
        await bus.WhenIdleAsync();
        reader.ReadEvents().Should().Equal("a");

        const string System = "messaging.system=eventbus messaging.operation.name=receive";
        const string Name = $"{System} messaging.destination.subscription.name";
        string self = typeof(HandlerTelemetryTests).FullName!;
        Measured("messaging.client.consumed.messages").Select(m => m.Tags).Should().BeEquivalentTo(
            $"{Name}={self}.{nameof(First)}", $"{Name}={self}.{nameof(Second)}", $"{Name}=named", $"{System} messaging.destination.template=secret:*", System);
        lock (_gate)
            _measured.Should().NotContain(m => m.Tags.Contains("secret:1") || m.Tags.Contains("secret:2"));
    }

    [Theory]
    [InlineData("messaging.process.duration")]
    [InlineData("eventbus.delivery.delay")]
    public async Task Durations_AdviseTheBucketsOfOpenTelemetry(string name)
    {
        await using InProcessEventBus bus = new(meterFactory: _services.GetRequiredService<IMeterFactory>());
        bus.Handle<string>("topic", First);

        bus.Publish("topic", "a");
        await bus.WhenIdleAsync();

        Histogram<double> histogram;
        lock (_gate)
            histogram = _measured.Select(m => m.Instrument).OfType<Histogram<double>>().First(i => i.Name == name);
        histogram.Advice!.HistogramBucketBoundaries.Should().Equal(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10);
    }

    private static ValueTask First(Envelope<string> envelope, CancellationToken cancellationToken) => default;

    private static ValueTask Second(Envelope<string> envelope, CancellationToken cancellationToken) => default;

    private List<(double Value, string Tags)> Measured(string instrument)
    {
        lock (_gate)
            return [.. _measured.Where(m => m.Instrument.Name == instrument).Select(m => (m.Value, m.Tags))];
    }

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string text = string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"));
        lock (_gate)
            _measured.Add((instrument, value, text));
    }
}
