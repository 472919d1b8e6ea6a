using System.Diagnostics;

namespace EventBus.Diagnostics;

/// <summary>
/// A span of the bus, or none. Listeners are called when it starts and stops, and may throw: whoever is traced neither sees that nor is
/// left with a span that is not its own.
/// </summary>
internal readonly struct Span : IDisposable
{
    private readonly Activity? _activity;

    /// <summary>What was current before, to go back to if stopping fails.</summary>
    private readonly Activity? _outer;

    private Span(Activity? activity, Activity? outer)
    {
        _activity = activity;
        _outer = outer;
    }

    /// <summary>What others link to; null if there is no span.</summary>
    public ActivityContext? Context => _activity?.Context;

    /// <summary>Starts a span; none if nobody wants it, or a listener throws.</summary>
    /// <param name="kind">Its kind.</param>
    /// <param name="parent">The span it belongs to; the default: the current one.</param>
    /// <param name="tags">What is told of it.</param>
    /// <param name="links">The spans that caused it, as far as it does not belong to them.</param>
    /// <param name="name">Its name.</param>
    public static Span Start(ActivityKind kind, in ActivityContext parent, in TagList tags, IEnumerable<ActivityLink>? links, string name)
    {
        Activity? outer = Activity.Current;
        try
        {
            return new(BusTelemetry.Activities.StartActivity(kind, parent, tags, links, name: name), outer);
        }
        catch (Exception)
        {
            Restore(outer);
            return default;
        }
    }

    /// <summary>Notes that what it spans has failed.</summary>
    public void Fail(Exception failure)
    {
        if (_activity is null)
            return;
        try
        {
            _activity.SetStatus(ActivityStatusCode.Error, failure.Message);
            _activity.SetTag(BusTelemetry.ErrorType, failure.GetType().FullName);
            _activity.AddException(failure);
        }
        catch (Exception)
        {
            // A listener that records exceptions threw, or the failure has no message to give.
        }
    }

    public void Dispose()
    {
        if (_activity is null)
            return;
        try
        {
            _activity.Dispose();
        }
        catch (Exception)
        {
            Restore(_outer);
        }
    }

    private static void Restore(Activity? outer)
    {
        try
        {
            Activity.Current = outer;
        }
        catch (Exception)
        {
            // Someone who listens to changes of the current span threw, after the change.
        }
    }
}
