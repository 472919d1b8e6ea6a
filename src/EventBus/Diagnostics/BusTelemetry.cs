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
    private const string OperationName = "messaging.operation.name";
    private const string PublishOperation = "publish";
    private const string ProcessOperation = "process";
    private const string ErrorType = "error.type";

    /// <summary>One for the process: spans of all buses come from it.</summary>
    public static readonly ActivitySource Activities = new(EventBusTelemetry.Name);

    private static readonly KeyValuePair<string, object?>[] PublishTags =
        [new("messaging.system", System), new(OperationName, PublishOperation), new("messaging.operation.type", "send")];

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
            _sent.Add(1, new("messaging.system", System), new(OperationName, PublishOperation));
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
            all.Add(ErrorType, errorType);
        _processDuration.Record(duration.TotalSeconds, all);
    }

    /// <summary>Whether someone listens to spans.</summary>
    public static bool IsTraced => Activities.HasListeners();

    /// <summary>The span of a publish; null, at the cost of one check, while nobody listens.</summary>
    public static Activity? StartPublish() =>
        Activities.HasListeners()
            ? Activities.StartActivity(ActivityKind.Producer, parentContext: default, tags: PublishTags, name: PublishOperation)
            : null;

    /// <summary>The span of a handler's work on an event or a batch; null while nobody listens.</summary>
    /// <param name="subscriber">Whose handler it is.</param>
    /// <param name="publishers">The spans that published what it works on, to be linked to; null if none was traced.</param>
    /// <param name="batchSize">The number of events in the batch; null for a single event.</param>
    public static Activity? StartProcess(in SubscriberTags subscriber, IEnumerable<ActivityLink>? publishers, int? batchSize)
    {
        if (!Activities.HasListeners())
            return null;
        TagList tags = subscriber.ToTagList();
        tags.Add(OperationName, ProcessOperation);
        tags.Add("messaging.operation.type", "process");
        if (batchSize is { } size)
            tags.Add("messaging.batch.message_count", size);
        return Activities.StartActivity(ActivityKind.Consumer, parentContext: default, tags, publishers, name: ProcessOperation);
    }

    /// <summary>Notes on a handler's span that it gave up.</summary>
    public static void Fail(Activity? span, Exception failure)
    {
        span?.SetStatus(ActivityStatusCode.Error, failure.Message);
        span?.SetTag(ErrorType, failure.GetType().FullName);
        span?.AddException(failure);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_ownsMeter)
            _meter.Dispose();
    }
}
