using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace EventBus.Diagnostics;

/// <summary>
/// The meter and the spans of one bus. Names follow OpenTelemetry's messaging conventions where they have one; tags carry a
/// wildcard pattern or a subscription's name, never a topic, whose number has no bound.
/// </summary>
/// <remarks>
/// Immutable after construction. Instruments call their listeners, so none is touched while a lock is held; and what a listener throws
/// goes no further: a measurement is lost, no event.
/// </remarks>
internal sealed class BusTelemetry : IDisposable
{
    public const string System = "eventbus";
    public const string OperationName = "messaging.operation.name";
    private const string PublishOperation = "publish";
    private const string ReceiveOperation = "receive";
    private const string ProcessOperation = "process";
    public const string ErrorType = "error.type";

    /// <summary>One for the process: spans of all buses come from it.</summary>
    public static readonly ActivitySource Activities = new(EventBusTelemetry.Name);

    private static readonly TagList PublishTags =
        [new("messaging.system", System), new(OperationName, PublishOperation), new("messaging.operation.type", "send")];

    /// <summary>Where OpenTelemetry's messaging conventions put the buckets of durations in seconds.</summary>
    private static readonly InstrumentAdvice<double> Durations =
        new() { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] };

    private readonly Meter _meter;
    private readonly bool _ownsMeter;
    private readonly Counter<long> _sent;
    private readonly Counter<long> _consumed;
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _unmatched;
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
        _unmatched = _meter.CreateCounter<long>("eventbus.events.unmatched", "{message}", "Events published that matched no subscription.");
        _deliveryDelay = _meter.CreateHistogram<double>(
            "eventbus.delivery.delay", "s", "Time from an event's publishing to its taking out of the channel.", tags: null, Durations);
        _processDuration = _meter.CreateHistogram<double>(
            "messaging.process.duration", "s", "Time of each attempt of a handler at an event or a batch.", tags: null, Durations);
    }

    /// <summary>Where further instruments of the bus belong.</summary>
    public Meter Meter => _meter;

    /// <summary>Whether someone counts losses, so that each must be told.</summary>
    public bool CountsLosses => _dropped.Enabled;

    /// <summary>Whether someone counts deliveries, or measures how long they took: to be asked before what <see cref="Consumed"/> needs is.</summary>
    public bool CountsDeliveries => _consumed.Enabled || _deliveryDelay.Enabled;

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
            Add(_sent, 1, SentTags());
    }

    public void Unmatched()
    {
        if (_unmatched.Enabled)
            Add(_unmatched, 1, SentTags());
    }

    public void Consumed(in SubscriberTags tags, long publishedAtTicks, TimeProvider timeProvider)
    {
        if (_consumed.Enabled)
            Add(_consumed, 1, tags.ToTagList(ReceiveOperation));
        if (_deliveryDelay.Enabled)
            Record(_deliveryDelay, Math.Max(0, (timeProvider.GetUtcNow().UtcTicks - publishedAtTicks) / (double)TimeSpan.TicksPerSecond), tags.ToTagList());
    }

    public void Dropped(in SubscriberTags tags, int count)
    {
        if (_dropped.Enabled)
            Add(_dropped, count, tags.ToTagList());
    }

    /// <summary>An attempt ended.</summary>
    public void Processed(in SubscriberTags tags, TimeSpan duration, string? errorType)
    {
        TagList all = tags.ToTagList(ProcessOperation);
        if (errorType is not null)
            all.Add(ErrorType, errorType);
        Record(_processDuration, duration.TotalSeconds, all);
    }

    /// <summary>Whether someone listens to spans.</summary>
    public static bool IsTraced => Activities.HasListeners();

    /// <summary>The span of a publish; none, at the cost of one check, while nobody listens.</summary>
    /// <param name="parent">The span it belongs to; the default: the current one.</param>
    public static Span StartPublish(in ActivityContext parent) =>
        Activities.HasListeners() ? Span.Start(ActivityKind.Producer, parent, PublishTags, links: null, PublishOperation) : default;

    /// <summary>The span of a handler's work on an event or a batch, with all attempts; none while nobody listens.</summary>
    /// <param name="subscriber">Whose handler it is.</param>
    /// <param name="publishers">The spans that published what it works on, to be linked to; null if none was traced.</param>
    /// <param name="batchSize">The number of events in the batch; null for a single event.</param>
    public static Span StartProcess(in SubscriberTags subscriber, IEnumerable<ActivityLink>? publishers, int? batchSize)
    {
        if (!Activities.HasListeners())
            return default;
        TagList tags = subscriber.ToTagList(ProcessOperation);
        tags.Add("messaging.operation.type", "process");
        if (batchSize is { } size)
            tags.Add("messaging.batch.message_count", size);
        return Span.Start(ActivityKind.Consumer, parent: default, tags, publishers, ProcessOperation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_ownsMeter)
            _meter.Dispose();
    }

    private static TagList SentTags() => new() { { "messaging.system", System }, { OperationName, PublishOperation } };

    /// <summary>Counts, whatever the listeners do.</summary>
    public static void Add(Counter<long> counter, long count, in TagList tags)
    {
        try
        {
            counter.Add(count, tags);
        }
        catch (Exception)
        {
            // A listener threw: its loss.
        }
    }

    private static void Record(Histogram<double> histogram, double value, in TagList tags)
    {
        try
        {
            histogram.Record(value, tags);
        }
        catch (Exception)
        {
            // As above.
        }
    }
}
