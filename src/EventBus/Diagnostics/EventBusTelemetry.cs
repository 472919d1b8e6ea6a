namespace EventBus;

/// <summary>How to find the bus in a telemetry pipeline.</summary>
public static class EventBusTelemetry
{
    /// <summary>
    /// The name of the meter and of the activity source: <c>metrics.AddMeter(EventBusTelemetry.Name)</c>,
    /// <c>tracing.AddSource(EventBusTelemetry.Name)</c>.
    /// </summary>
    public const string Name = "EventBus";
}
