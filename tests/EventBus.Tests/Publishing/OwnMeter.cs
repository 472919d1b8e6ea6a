using System.Diagnostics.Metrics;

namespace EventBus.Tests.Publishing;

/// <summary>One bus's meter, and a listener to it alone: measurements of other tests' buses are not heard.</summary>
internal sealed class OwnMeter : IMeterFactory
{
    private readonly MeterListener _listener = new();
    private readonly List<(string Instrument, long Value, string Tags)> _measured = [];
    private readonly Lock _gate = new();
    private Meter? _meter;

    public OwnMeter()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter == _meter)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            List<string> texts = [];
            foreach (KeyValuePair<string, object?> tag in tags)
                texts.Add($"{tag.Key}={tag.Value}");
            lock (_gate)
                _measured.Add((instrument.Name, value, string.Join(' ', texts)));
            if (instrument.Name == FailsAt)
                throw new InvalidOperationException("A listener failed.");
        });
        _listener.Start();
    }

    /// <summary>The instrument at which the listener throws.</summary>
    public string? FailsAt { get; init; }

    public Meter Create(MeterOptions options) => _meter = new Meter(options);

    public (long Value, string Tags)[] MeasuredBy(string instrument)
    {
        lock (_gate)
            return [.. _measured.Where(m => m.Instrument == instrument).Select(m => (m.Value, m.Tags))];
    }

    public void Dispose()
    {
        _listener.Dispose();
        _meter?.Dispose();
    }
}
