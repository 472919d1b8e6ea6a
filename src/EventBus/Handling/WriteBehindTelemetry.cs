using System.Diagnostics;
using System.Diagnostics.Metrics;
using EventBus.Diagnostics;

namespace EventBus.Handling;

/// <summary>What metrics tell of a write-behind, whatever its events are.</summary>
internal interface IWriteBehind : IActivity
{
    /// <summary>The type of its events.</summary>
    Type EventType { get; }

    /// <summary>The number of events buffered.</summary>
    int Count { get; }

    /// <summary>How long ago the oldest of them was published; zero if there is none.</summary>
    TimeSpan OldestAge { get; }
}

/// <summary>The metrics of all write-behinds of one bus, on its meter.</summary>
/// <remarks>
/// Immutable. What is read rather than written is asked of the bus's list of activities, which it does not keep alive: so a meter that
/// outlives the bus keeps neither the bus nor a write-behind. Several write-behinds of the same type of event share a measurement.
/// </remarks>
internal sealed class WriteBehindTelemetry
{
    private readonly Counter<long> _stored;
    private readonly Counter<long> _failed;

    public WriteBehindTelemetry(Meter meter, ActivityMonitor activity)
    {
        WeakReference<ActivityMonitor> weak = new(activity);
        _stored = meter.CreateCounter<long>("eventbus.write_behind.stored", "{message}", "Events that were stored.");
        _failed = meter.CreateCounter<long>(
            "eventbus.write_behind.failed", "{message}", "Events that were given up: refused by the store, or left when the time for draining was over.");
        meter.CreateObservableUpDownCounter(
            "eventbus.write_behind.depth",
            () => Measure(weak, all => all.Sum(w => w.Count)),
            "{message}",
            "Events buffered: published, and not yet stored and broadcast.");
        meter.CreateObservableGauge(
            "eventbus.write_behind.oldest_age",
            () => Measure(weak, all => all.Max(w => w.OldestAge).TotalSeconds),
            "s",
            "Time since the oldest buffered event was published.");
    }

    public void Stored(Type eventType, int count)
    {
        if (_stored.Enabled)
            BusTelemetry.Add(_stored, count, TagsOf(eventType));
    }

    public void Failed(Type eventType, int count)
    {
        if (_failed.Enabled)
            BusTelemetry.Add(_failed, count, TagsOf(eventType));
    }

    private static TagList TagsOf(Type eventType) => [new("messaging.system", BusTelemetry.System), new("eventbus.event.type", eventType.Name)];

    private static IEnumerable<Measurement<T>> Measure<T>(WeakReference<ActivityMonitor> weak, Func<IEnumerable<IWriteBehind>, T> measure)
        where T : struct =>
        weak.TryGetTarget(out ActivityMonitor? activity)
            ? activity.WriteBehinds().GroupBy(w => w.EventType).Select(all => new Measurement<T>(measure(all), TagsOf(all.Key)))
            : [];
}
