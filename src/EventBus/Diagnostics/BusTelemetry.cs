using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace EventBus.Diagnostics;

/// <summary>
/// The meter and the spans of one bus. Names follow OpenTelemetry's messaging conventions where they have one; tags carry a
/// wildcard pattern or a subscription's name, never a topic, whose number has no bound.
/// </summary>
/// <remarks>Immutable after construction. Instruments call their listeners, so none is touched while a lock is held.</remarks>
internal sealed class BusTelemetry : IDisposable
{
    public const string System = "eventbus";

    /// <summary>One for the process: spans of all buses come from it.</summary>
    public static readonly ActivitySource Activities = new(EventBusTelemetry.Name);

    private readonly Meter _meter;
    private readonly bool _ownsMeter;
    private readonly Counter<long> _sent;
    private readonly Counter<long> _consumed;
    private readonly Counter<long> _dropped;
    private readonly Histogram<double> _deliveryDelay;
    private readonly Histogram<double> _processDuration;

    public BusTelemetry(IMeterFactory? factory)
    {
        // A factory's meters are its own to dispose.
        _ownsMeter = factory is null;
        _meter = factory?.Create(EventBusTelemetry.Name) ?? new Meter(EventBusTelemetry.Name);
        _sent = _meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Events published.");
        _consumed = _meter.CreateCounter<long>(
            "messaging.client.consumed.messages", "{message}", "Events taken out of a subscription's channel by its consumer.");
        _dropped = _meter.CreateCounter<long>("eventbus.events.dropped", "{message}", "Events lost to full channels.");
        _deliveryDelay = _meter.CreateHistogram<double>(
            "eventbus.delivery.delay", "s", "Time from an event's publishing to its taking out of the channel.");
        _processDuration = _meter.CreateHistogram<double>(
            "messaging.process.duration", "s", "Time a handler took for an event or a batch, all attempts.");
    }

    /// <summary>Whether someone counts losses, so that each must be told.</summary>
    public bool CountsLosses => _dropped.Enabled;

    /// <summary>Whether someone measures how long handlers take.</summary>
    public bool MeasuresProcessing => _processDuration.Enabled;

    /// <summary>Adds the instruments that are read rather than written.</summary>
    public void Observe(Func<IEnumerable<Measurement<int>>> subscriptions, Func<IEnumerable<Measurement<int>>> queueDepth)
    {
        _meter.CreateObservableUpDownCounter("eventbus.subscriptions", subscriptions, "{subscription}", "Live subscriptions.");
        _meter.CreateObservableUpDownCounter("eventbus.queue.depth", queueDepth, "{message}", "Events waiting to be read.");
    }

    public void Sent()
    {
        if (_sent.Enabled)
            _sent.Add(1, new("messaging.system", System), new("messaging.operation.name", "publish"));
    }

    public void Consumed(in SubscriberTags tags, long publishedAtTicks, TimeProvider timeProvider)
    {
        if (_consumed.Enabled)
            _consumed.Add(1, tags.ToTagList());
        if (_deliveryDelay.Enabled)
            _deliveryDelay.Record(Math.Max(0, (timeProvider.GetUtcNow().UtcTicks - publishedAtTicks) / (double)TimeSpan.TicksPerSecond), tags.ToTagList());
    }

    public void Dropped(in SubscriberTags tags, int count)
    {
        if (_dropped.Enabled)
            _dropped.Add(count, tags.ToTagList());
    }

    public void Processed(in SubscriberTags tags, TimeSpan duration, string? errorType)
    {
        TagList all = tags.ToTagList();
        if (errorType is not null)
            all.Add("error.type", errorType);
        _processDuration.Record(duration.TotalSeconds, all);
    }

    /// <summary>The span of a publish; null, at the cost of one check, while nobody listens.</summary>
    public static Activity? StartPublish() =>
        Activities.HasListeners() ? Activities.StartActivity("publish", ActivityKind.Producer) : null;

    /// <summary>The span of a handler's work on an event or a batch, linked to the publish if that was traced; null while nobody listens.</summary>
    public static Activity? StartProcess(ActivityContext? publisher)
    {
        if (!Activities.HasListeners())
            return null;
        ActivityLink[]? links = publisher is { } context ? [new ActivityLink(context)] : null;
        return Activities.StartActivity(ActivityKind.Consumer, parentContext: default, links: links, name: "process");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_ownsMeter)
            _meter.Dispose();
    }
}
