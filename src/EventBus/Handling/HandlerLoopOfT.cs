using System.Diagnostics;
using System.Runtime.CompilerServices;
using EventBus.Delivery;
using EventBus.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Handling;

/// <summary>Runs a handler over events of one type; what the kinds of loop share is one delivery with its attempts.</summary>
/// <inheritdoc cref="HandlerLoop" path="/remarks"/>
internal abstract class HandlerLoop<TEvent> : HandlerLoop
    where TEvent : notnull
{
    private readonly HandlerCall<TEvent> _call;
    private readonly LogThrottle _failures;

    protected HandlerLoop(
        ActivityMonitor activity, SubscriberChannel<TEvent> channel, HandlerCall<TEvent> call, HandlerOptions options)
        : base(activity, channel, call.Name, options)
    {
        Channel = channel;
        _call = call;
        _failures = new LogThrottle(
            Owner.TimeProvider,
            suppressed => Log.HandlerFailuresSuppressed(Owner.Logger, Name, Channel.Profile.ToString(), suppressed, LogThrottle.Interval));
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

    /// <summary>Waits for events; false when there will be none, also when the channel overflowed and was closed.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    protected async ValueTask<bool> MoreAsync()
    {
        try
        {
            return await Channel.WaitToReadAsync(this, takes: true, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SubscriptionOverflowException)
        {
            return false;
        }
    }

    /// <summary>Hands an event, or a batch, to the handler until it succeeds or its attempts are used up. Never throws.</summary>
    /// <param name="first">The event, or the first of the batch.</param>
    /// <param name="batch">The batch; null for a single event.</param>
    /// <param name="publishers">The spans that published the batch, as far as they were traced; for a single event it is found here.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    protected async ValueTask HandleAsync(Taken<TEvent> first, Envelope<TEvent>[]? batch = null, IEnumerable<ActivityLink>? publishers = null)
    {
        BusTelemetry telemetry = Owner.Telemetry;
        long started = telemetry.MeasuresProcessing ? Owner.TimeProvider.GetTimestamp() : 0;
        int count = batch?.Length ?? 1;
        using Span span = BusTelemetry.StartProcess(Channel.Profile.Tags, publishers ?? LinksOf(first), batch?.Length);
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
            catch (HandlerUnavailableException)
            {
                // Nor will it be available for the next event.
                Stop();
                AddLeft(count);
                return;
            }
            catch (Exception exception) when (IsStopping(exception))
            {
                AddLeft(count);
                return;
            }
            catch (Exception exception)
            {
                failure = exception;
            }

            if (attempt == Options.MaxAttempts)
            {
                LogFailure(first, count, attempt, failure, retryIn: null);
                Owner.HandlerFailed(Channel, Name, first.Origin, first.Envelope.Event.GetType(), count, attempt, failure);
                break;
            }

            TimeSpan delay = DelayAfter(attempt);
            LogFailure(first, count, attempt, failure, delay);
            await Task.Delay(delay, Owner.TimeProvider, Stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (Stopping.IsCancellationRequested)
            {
                AddLeft(count);
                return;
            }
        }

        if (failure is not null)
            span.Fail(failure);
        if (started != 0)
            telemetry.Processed(Channel.Profile.Tags, Owner.TimeProvider.GetElapsedTime(started), failure?.GetType().FullName);
    }

    private static ActivityLink[]? LinksOf(in Taken<TEvent> taken) =>
        taken.Origin is TracedOrigin traced ? [new ActivityLink(traced.Publisher)] : null;

    /// <summary>Whether a handler threw because it was told to stop, which is no failure: it gave up, or found disposed what it needs.</summary>
    private bool IsStopping(Exception exception) =>
        Stopping.IsCancellationRequested && exception is OperationCanceledException or ObjectDisposedException;

    private void LogFailure(in Taken<TEvent> first, int count, int attempt, Exception failure, TimeSpan? retryIn)
    {
        try
        {
            if (retryIn is not null ? !Owner.Logger.IsEnabled(LogLevel.Debug) : !_failures.TryPass())
                return;
            string patterns = Channel.Profile.ToString();
            string eventType = first.Envelope.Event.GetType().ToString();
            if (retryIn is null)
                Log.HandlerFailed(Owner.Logger, failure, Name, patterns, count, eventType, first.Origin.Topic, attempt);
            else
                Log.HandlerRetries(Owner.Logger, failure, Name, patterns, count, eventType, first.Origin.Topic, attempt, retryIn.Value);
        }
        catch (Exception)
        {
            // A log that fails must not end the handler: the failure is still counted and published.
        }
    }

    private TimeSpan DelayAfter(int attempt)
    {
        // Jittered, so that handlers that failed together do not try again together.
        double ticks = Options.RetryDelay.Ticks * Math.Pow(2, attempt - 1) * (0.75 + (Random.Shared.NextDouble() / 2));
        return TimeSpan.FromTicks((long)Math.Min(ticks, TimeSpan.FromHours(24).Ticks));
    }
}
