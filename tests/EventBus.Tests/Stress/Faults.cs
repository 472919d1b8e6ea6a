using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Stress;

/// <summary>Throws at random: from a seed, though which call it strikes depends on how the threads meet.</summary>
internal sealed class Faults(int seed, int oneIn) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Random _random = new(seed);
    private readonly List<IDisposable> _listeners = [];
    private long _thrown;

    public int Seed => seed;

    public long Thrown => Interlocked.Read(ref _thrown);

    public void Strike()
    {
        lock (_gate)
        {
            if (_random.Next(oneIn) > 0)
                return;
        }

        Interlocked.Increment(ref _thrown);
        throw new InvalidOperationException("Something that is plugged in failed.");
    }

    /// <summary>Ends a listener with the test.</summary>
    public void Own(IDisposable listener) => _listeners.Add(listener);

    public void Dispose() => _listeners.ForEach(l => l.Dispose());
}

/// <summary>A logger, a meter, its listener, one of spans, and a clock, all of which throw at random.</summary>
internal sealed class FaultyPlugIns : ILoggerFactory, ILogger, IMeterFactory
{
    private readonly Meter _meter = new(EventBusTelemetry.Name);
    private readonly Faults _faults;

    public FaultyPlugIns(Faults faults)
    {
        _faults = faults;
        Clock = new FaultyClock(faults);
        MeterListener metrics = new();
        metrics.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter == _meter)
                listener.EnableMeasurementEvents(instrument);
        };
        metrics.SetMeasurementEventCallback<long>((_, _, _, _) => faults.Strike());
        metrics.SetMeasurementEventCallback<double>((_, _, _, _) => faults.Strike());
        metrics.Start();
        ActivityListener spans = new()
        {
            ShouldListenTo = source => source.Name == EventBusTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) =>
            {
                faults.Strike();
                return ActivitySamplingResult.AllData;
            },
            ActivityStarted = _ => faults.Strike(),
            ActivityStopped = _ => faults.Strike(),
        };
        ActivitySource.AddActivityListener(spans);
        faults.Own(metrics);
        faults.Own(spans);
        faults.Own(_meter);
    }

    public TimeProvider Clock { get; }

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel)
    {
        _faults.Strike();
        return true;
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _faults.Strike();

    public Meter Create(MeterOptions options) => _meter;

    public void Dispose()
    {
    }

    /// <summary>The system's clock, when it does not throw.</summary>
    private sealed class FaultyClock(Faults faults) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow()
        {
            faults.Strike();
            return System.GetUtcNow();
        }

        public override long GetTimestamp()
        {
            faults.Strike();
            return System.GetTimestamp();
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            faults.Strike();
            return System.CreateTimer(callback, state, dueTime, period);
        }
    }
}

/// <summary>A context that runs what is posted to it at once, or throws.</summary>
internal sealed class FaultyContext(Faults faults) : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state)
    {
        faults.Strike();
        SynchronizationContext? outer = Current;
        SetSynchronizationContext(this);
        d(state);
        SetSynchronizationContext(outer);
    }
}

/// <summary>A filter that throws before or after the handler.</summary>
internal sealed class FaultyFilter(Faults faults) : IHandlerFilter
{
    public async ValueTask InvokeAsync(HandlerContext context, Func<CancellationToken, ValueTask> next, CancellationToken cancellationToken)
    {
        faults.Strike();
        await next(cancellationToken);
        faults.Strike();
    }
}

/// <summary>A store that throws before or after it has stored, and skips what it has, as stores should.</summary>
internal sealed class FaultyStore<TEvent>(Faults faults) : IEventStore<TEvent>
    where TEvent : notnull
{
    private readonly ConcurrentQueue<TEvent> _stored = new();
    private long _lastId;

    /// <summary>In the order of storing.</summary>
    public IReadOnlyCollection<TEvent> Stored => _stored;

    public async ValueTask AppendAsync(IReadOnlyList<BufferedEvent<TEvent>> batch, CancellationToken cancellationToken)
    {
        faults.Strike();
        await Task.Yield();
        foreach (BufferedEvent<TEvent> buffered in batch)
        {
            if (buffered.Id <= _lastId)
                continue;
            if (buffered.Id % 16 == 0)
                faults.Strike();
            _lastId = buffered.Id;
            _stored.Enqueue(buffered.Event);
        }

        faults.Strike();
    }
}
