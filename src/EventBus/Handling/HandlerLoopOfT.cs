using System.Diagnostics;
using System.Runtime.CompilerServices;
using EventBus.Delivery;
using EventBus.Diagnostics;

namespace EventBus.Handling;

/// <summary>Runs a handler over events of one type; what the kinds of loop share is one delivery with its attempts.</summary>
/// <inheritdoc cref="HandlerLoop" path="/remarks"/>
internal abstract class HandlerLoop<TEvent> : HandlerLoop
    where TEvent : notnull
{
    private readonly HandlerCall<TEvent> _call;

    protected HandlerLoop(
        ActivityMonitor activity, SubscriberChannel<TEvent> channel, HandlerCall<TEvent> call, HandlerOptions options)
        : base(activity, channel, options)
    {
        Channel = channel;
        _call = call;
    }

    protected SubscriberChannel<TEvent> Channel { get; }

    /// <summary>The loop for a kind of handler.</summary>
    public static HandlerLoop<TEvent> Create(
        ActivityMonitor activity, SubscriberChannel<TEvent> channel, HandlerCall<TEvent> call, HandlerOptions options)
    {
        if (call.Batch is null)
        {
            return options.MaxConcurrency == 1
                ? new SequentialLoop<TEvent>(activity, channel, call, options)
                : new ConcurrentLoop<TEvent>(activity, channel, call, options);
        }

        if (options.MaxConcurrency > 1)
        {
            throw new ArgumentOutOfRangeException(
                nameof(options),
                $"{nameof(HandlerOptions.MaxConcurrency)} is {options.MaxConcurrency} for the batch handler {call.Name}; batches are handled one " +
                "at a time, so it must be 1.");
        }

        return new BatchLoop<TEvent>(activity, channel, call, options);
    }

    /// <summary>Hands an event, or a batch, to the handler until it succeeds or its attempts are used up. Never throws.</summary>
    /// <param name="first">The event, or the first of the batch.</param>
    /// <param name="batch">The batch; null for a single event.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    protected async ValueTask HandleAsync(Taken<TEvent> first, Envelope<TEvent>[]? batch = null)
    {
        BusTelemetry telemetry = Owner.Telemetry;
        long started = telemetry.MeasuresProcessing ? Owner.TimeProvider.GetTimestamp() : 0;
        using Activity? span = BusTelemetry.StartProcess((first.Origin as TracedOrigin)?.Publisher);
        Exception? failure = null;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                if (batch is null)
                    await _call.Each!(first.Envelope, Stopping).ConfigureAwait(false);
                else
                    await _call.Batch!(batch, Stopping).ConfigureAwait(false);
                failure = null;
                break;
            }
            catch (OperationCanceledException) when (Stopping.IsCancellationRequested)
            {
                // Stopping is no failure.
                AddLeft(batch?.Length ?? 1);
                return;
            }
            catch (Exception exception)
            {
                failure = exception;
            }

            if (attempt == Options.MaxAttempts)
            {
                Owner.HandlerFailed(Channel, _call.Name, first.Origin, first.Envelope.Event.GetType(), batch?.Length ?? 1, attempt, failure);
                break;
            }

            await Task.Delay(DelayAfter(attempt), Owner.TimeProvider, Stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (Stopping.IsCancellationRequested)
            {
                AddLeft(batch?.Length ?? 1);
                return;
            }
        }

        span?.SetStatus(failure is null ? ActivityStatusCode.Unset : ActivityStatusCode.Error);
        if (started != 0)
            telemetry.Processed(Channel.Profile.Tags, Owner.TimeProvider.GetElapsedTime(started), failure?.GetType().FullName);
    }

    private TimeSpan DelayAfter(int attempt)
    {
        // Jittered, so that handlers that failed together do not try again together.
        double ticks = Options.RetryDelay.Ticks * Math.Pow(2, attempt - 1) * (0.75 + (Random.Shared.NextDouble() / 2));
        return TimeSpan.FromTicks((long)Math.Min(ticks, TimeSpan.FromHours(24).Ticks));
    }
}
