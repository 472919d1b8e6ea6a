using System.Diagnostics;
using EventBus.Handling;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace EventBus.Tests.Diagnostics;

/// <summary>What a user's telemetry pipeline gets, read by OpenTelemetry's own SDK. Alone, as it hears every bus of the process.</summary>
[Collection(nameof(AloneCollection))]
public sealed class OpenTelemetryTests
{
    [Fact]
    public async Task Metrics_HaveTheNamesUnitsAndTagsOfTheContract()
    {
        CollectingMetrics collected = new();
        using MeterProvider provider = Sdk.CreateMeterProviderBuilder()
            .AddMeter(EventBusTelemetry.Name)
            .AddReader(new BaseExportingMetricReader(collected))
            .Build();
        await using InProcessEventBus bus = new();
        using Subscription<string> full = bus.Subscribe<string>("secret:topic", new() { Capacity = 1, Name = "metrics-full" });
        bus.Handle<string>("secret:*", (e, _) => e.Event == "bad" ? throw new InvalidOperationException() : default);

        bus.Publish("secret:topic", "good");
        bus.Publish("secret:topic", "bad");
        await bus.Activity.WhenIdleAsync(CancellationToken.None).Soon();
        provider.ForceFlush().Should().BeTrue();

        collected.Units.Should().Contain(
        [
            ("messaging.client.sent.messages", "{message}"), ("messaging.client.consumed.messages", "{message}"),
            ("messaging.process.duration", "s"), ("eventbus.events.dropped", "{message}"), ("eventbus.subscriptions", "{subscription}"),
            ("eventbus.queue.depth", "{message}"), ("eventbus.delivery.delay", "s"),
        ]);
        const string Handler = "messaging.destination.template=secret:* messaging.system=eventbus";
        const string Full = "messaging.destination.subscription.name=metrics-full messaging.system=eventbus";
        const string Received = "messaging.destination.template=secret:* messaging.operation.name=receive messaging.system=eventbus";
        const string Processed = "messaging.destination.template=secret:* messaging.operation.name=process messaging.system=eventbus";
        collected.Values["messaging.client.consumed.messages", Received].Should().BeGreaterThanOrEqualTo(2);
        collected.Values["eventbus.events.dropped", Full].Should().Be(1);
        collected.Values["eventbus.subscriptions", Full].Should().Be(1);
        collected.Values["eventbus.queue.depth", Full].Should().Be(1);
        collected.Values["eventbus.queue.depth", Handler].Should().Be(0);
        collected.Values["messaging.process.duration", Processed].Should().Be(1, "one of two was handled");
        collected.Values["messaging.process.duration", $"error.type=System.InvalidOperationException {Processed}"].Should().Be(1);
        collected.Values["eventbus.delivery.delay", Handler].Should().Be(2);
        collected.Values["messaging.client.sent.messages", "messaging.operation.name=publish messaging.system=eventbus"]
            .Should().BeGreaterThanOrEqualTo(2);
        collected.Tags.Should().NotContain(t => t.Contains("secret:topic"), "topics have no bound");
    }

    [Fact]
    public async Task HandlerSpans_LinkToThePublishersSpan_AndTellFailures()
    {
        using ActivitySource test = new(nameof(HandlerSpans_LinkToThePublishersSpan_AndTellFailures));
        CollectingSpans collected = new();
        using TracerProvider provider = Sdk.CreateTracerProviderBuilder()
            .AddSource(EventBusTelemetry.Name, test.Name)
            .AddProcessor(new SimpleActivityExportProcessor(collected))
            .Build();
        await using InProcessEventBus bus = new();
        bus.Handle<string>("spans:*", (_, _) => throw new InvalidOperationException("broken"));
        bus.Handle([$"spans:topic"], HandlerCall<string>.ForBatch((_, _) => default), new() { MaxBatchSize = 2 }, "", 0, default);
        ActivityTraceId trace;
        using (Activity request = test.StartActivity("request")!)
        {
            trace = request.TraceId;
            bus.Publish("spans:topic", "a");
            bus.Publish("spans:topic", "b");
        }

        await bus.Activity.WhenIdleAsync(CancellationToken.None).Soon();
        await collected.WaitForAsync(s => s.OperationName == "process" && s.Links.Any(l => l.Context.TraceId == trace), 3);

        Activity[] published = [.. collected.Spans.Where(s => s.TraceId == trace && s.OperationName == "publish")];
        published.Should().HaveCount(2).And.OnlyContain(s => s.Kind == ActivityKind.Producer && s.Parent!.OperationName == "request");
        Activity[] processed = [.. collected.Spans.Where(s => s.OperationName == "process" && s.Links.Any(l => l.Context.TraceId == trace))];
        processed.Should().OnlyContain(s => s.Kind == ActivityKind.Consumer && s.TraceId != trace);
        Activity[] failed = [.. processed.Where(s => s.Status == ActivityStatusCode.Error)];
        failed.Select(s => s.Links.Single().Context.SpanId).Should().BeEquivalentTo(published.Select(s => s.SpanId));
        failed.Should().OnlyContain(s => (string?)s.GetTagItem("error.type") == "System.InvalidOperationException"
            && (string?)s.GetTagItem("messaging.destination.template") == "spans:*");
        Activity batch = processed.Except(failed).Should().ContainSingle().Subject;
        batch.Links.Select(l => l.Context.SpanId).Should().Equal(published.Select(s => s.SpanId));
        batch.GetTagItem("messaging.batch.message_count").Should().Be(2);
        processed.Concat(published).SelectMany(s => s.TagObjects).Should().NotContain(t => t.Value!.ToString()!.Contains("spans:topic"));
    }

    private sealed class CollectingMetrics : BaseExporter<Metric>
    {
        public Dictionary<(string Name, string Tags), double> All { get; } = [];

        public CollectedValues Values => new(this);

        public HashSet<(string Name, string Unit)> Units { get; } = [];

        public IEnumerable<string> Tags => All.Keys.Select(k => k.Tags);

        public override ExportResult Export(in Batch<Metric> batch)
        {
            foreach (Metric metric in batch)
            {
                Units.Add((metric.Name, metric.Unit));
                foreach (ref readonly MetricPoint point in metric.GetMetricPoints())
                {
                    List<string> tags = [];
                    foreach (KeyValuePair<string, object?> tag in point.Tags)
                        tags.Add($"{tag.Key}={tag.Value}");
                    tags.Sort(StringComparer.Ordinal);
                    (string, string) key = (metric.Name, string.Join(' ', tags));
                    All[key] = All.GetValueOrDefault(key)
                        + (metric.MetricType is MetricType.Histogram ? point.GetHistogramCount() : point.GetSumLong());
                }
            }

            return ExportResult.Success;
        }
    }

    private readonly record struct CollectedValues(CollectingMetrics From)
    {
        public double this[string name, string tags] =>
            From.All.Should().ContainKey((name, tags)).WhoseValue;
    }

    private sealed class CollectingSpans : BaseExporter<Activity>
    {
        private readonly Lock _gate = new();
        private readonly List<Activity> _spans = [];
        private (Func<Activity, bool> Which, int Count, TaskCompletionSource Reached)? _wait;

        public Activity[] Spans
        {
            get
            {
                lock (_gate)
                    return [.. _spans];
            }
        }

        public Task WaitForAsync(Func<Activity, bool> which, int count)
        {
            TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_gate)
                _wait = (which, count, reached);
            Look();
            return reached.Task.Soon();
        }

        public override ExportResult Export(in Batch<Activity> batch)
        {
            lock (_gate)
            {
                foreach (Activity span in batch)
                    _spans.Add(span);
            }

            Look();
            return ExportResult.Success;
        }

        private void Look()
        {
            lock (_gate)
            {
                if (_wait is { } wait && _spans.Count(wait.Which) >= wait.Count)
                    wait.Reached.TrySetResult();
            }
        }
    }
}
