using System.Collections.Concurrent;
using System.Diagnostics;

namespace EventBus.Tests.Handling;

/// <summary>Spans go through the buffer. Alone, as listening to spans costs every bus of the process.</summary>
[Collection(nameof(AloneCollection))]
public sealed class WriteBehindTracingTests
{
    [Fact]
    public async Task Publish_InASpan_IsBroadcastInItsTraceAndHandlersLinkToThat()
    {
        using Spans spans = new();
        await using WriteBehindFixture fixture = new(o => o.Capacity = 2);
        fixture.Bus.Handle<string>("run:*", (_, _) => ValueTask.CompletedTask);
        Activity first = spans.Source.StartActivity("first")!;
        fixture.Publish("a");
        first.Dispose();
        fixture.Publish("untraced");
        Activity waiting = spans.Source.StartActivity("waiting")!;
        Task published = fixture.WriteBehind.PublishAsync("run:1", "b").AsTask();
        waiting.Dispose();

        await fixture.WriteBehind.FlushAsync().Soon();
        await published.Soon();
        await fixture.Bus.Activity.WhenIdleAsync(CancellationToken.None).Soon();
        fixture.Listener.ReadEvents().Should().Equal("a", "untraced", "b");

        Activity[] all = [.. spans.Stopped];
        Activity[] broadcasts = [.. all.Where(s => s.OperationName == "publish").OrderBy(s => s.StartTimeUtc)];
        broadcasts.Select(s => s.ParentSpanId).Should().Equal(first.SpanId, default, waiting.SpanId);
        broadcasts.Select(s => s.TraceId).Where((_, i) => i != 1).Should().Equal(first.TraceId, waiting.TraceId);
        all.Where(s => s.OperationName == "process").SelectMany(s => s.Links).Select(l => l.Context.SpanId)
            .Should().BeEquivalentTo(broadcasts.Select(s => s.SpanId));
    }

    [Fact]
    public async Task Publish_ListenerThatThrows_IsStoredAndBroadcastOnce()
    {
        using Spans spans = new();
        await using WriteBehindFixture fixture = new();
        using Activity outer = spans.Source.StartActivity("outer")!;
        spans.Throws = true;
        fixture.Publish("a", "b");

        await fixture.WriteBehind.FlushAsync().Soon();

        spans.Throws = false;
        fixture.Store.Calls.Should().ContainSingle();
        fixture.Listener.ReadEvents().Should().Equal("a", "b");
    }

    [Fact]
    public async Task Publish_NobodyListensToSpans_AllocatesNothing()
    {
        await using WriteBehindFixture fixture = new(o => o.MaxBatchSize = 100_000);
        string[] events = [.. Enumerable.Repeat("a", 4000)];
        fixture.Publish(events);
        await fixture.WriteBehind.FlushAsync().Soon();
        using Activity current = new Activity("somebody's").Start();
        fixture.WriteBehind.Publish("run:1", "the one that starts the timer");

        Memory.AllocatedBy(() =>
        {
            foreach (string @event in events.AsSpan(0, 3000))
                fixture.WriteBehind.Publish("run:1", @event);
        }).Should().Be(0);
    }

    /// <summary>Listens to the bus, and to a source of its own.</summary>
    private sealed class Spans : IDisposable
    {
        private readonly ActivityListener _listener;

        public Spans()
        {
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name == EventBusTelemetry.Name || source == Source,
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
                ActivityStarted = _ => ThrowIfWanted(),
                ActivityStopped = span =>
                {
                    Stopped.Enqueue(span);
                    ThrowIfWanted();
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public ActivitySource Source { get; } = new(nameof(WriteBehindTracingTests));

        public ConcurrentQueue<Activity> Stopped { get; } = new();

        public bool Throws { get; set; }

        public void Dispose()
        {
            _listener.Dispose();
            Source.Dispose();
        }

        private void ThrowIfWanted()
        {
            if (Throws)
                throw new InvalidOperationException("No room for spans.");
        }
    }
}
