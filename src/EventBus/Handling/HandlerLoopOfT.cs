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
    private readonly AttemptPath<TEvent> _attempts;
    private readonly LogThrottle _failures;

    /// <summary>Why there will be no more events, if the channel overflowed and was closed. Only the loop touches it.</summary>
    private SubscriptionOverflowException? _overflow;

    protected HandlerLoop(
        ActivityMonitor activity, SubscriberChannel<TEvent> channel, HandlerCall<TEvent> call, HandlerOptions options)
        : base(activity, channel, call.Name, options)
    {
        Channel = channel;
        _attempts = new AttemptPath<TEvent>(call, options, Owner.TimeProvider);
        _failures = new LogThrottle(
            Owner.TimeProvider,
            suppressed => Log.HandlerFailuresSuppressed(Owner.Logger, Name, Channel.Profile.ToString(), suppressed, LogThrottle.Interval));
    }

    protected SubscriberChannel<TEvent> Channel { get; }

    /// <summary>The loop for a kind of handler.</summary>
    public static HandlerLoop<TEvent> Create(
        ActivityMonitor activity, SubscriberChannel<TEvent> channel, HandlerCall<TEvent> call, HandlerOptions options)
    {
        if (!call.IsBatch)
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

    protected sealed override async Task RunLoopAsync()
    {
        await RunEventsAsync().ConfigureAwait(false);
        if (_overflow is null)
            return;

        // Busy, so that whoever waits until nothing is left to do gets to see it.
        BeginBusy();
        try
        {
            ReportOverflow(_overflow);
        }
        finally
        {
            EndBusy();
        }
    }

    /// <inheritdoc cref="RunLoopAsync"/>
    protected abstract Task RunEventsAsync();

    /// <summary>Waits for events; false when there will be none, also when the channel overflowed and was closed.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    protected async ValueTask<bool> MoreAsync()
    {
        try
        {
            return await Channel.WaitToReadAsync(this, takes: true, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SubscriptionOverflowException overflow)
        {
            _overflow = overflow;
            return false;
        }
    }

    /// <summary>Hands an event, or a batch, to the handler, in a flow of its own, until it succeeds or is given up. Never throws.</summary>
    /// <param name="flow">The flow of whoever makes calls one after the other.</param>
    /// <param name="first">The event, or the first of the batch.</param>
    /// <param name="batch">The batch; null for a single event.</param>
    /// <param name="publishers">The spans that published the batch, as far as they were traced; for a single event it is found here.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    protected async ValueTask CallAsync(
        HandlerFlow flow, Taken<TEvent> first, Envelope<TEvent>[]? batch = null, IEnumerable<ActivityLink>? publishers = null)
    {
        int count = batch?.Length ?? 1;
        try
        {
            flow.Begin();
            using Span span = BusTelemetry.StartProcess(Channel.Profile.Tags, publishers ?? LinksOf(first), batch?.Length);
            ExecutionContext? context = ExecutionContext.Capture();
            for (int attempt = 1; ; attempt++)
            {
                Exception? failure = null;
                bool isMeasured = Owner.Telemetry.MeasuresProcessing;
                long started = isMeasured ? Owner.TimeProvider.GetTimestamp() : 0;
                try
                {
                    ValueTask running = _attempts.RunAsync(in first, batch, attempt, Stopping);
                    flow.Returned(running.IsCompleted);
                    await running.ConfigureAwait(false);
                }
                catch (HandlerUnavailableException)
                {
                    // Nor will it be available for the next event. Whoever stopped the handler before says what it left.
                    bool isTold = Stopping.IsCancellationRequested;
                    Stop();
                    if (!isTold)
                        Log.HandlerUnavailable(Owner.Logger, Name, Channel.Profile.ToString(), Unhandled);
                    AddLeft(count);
                    return;
                }
                catch (Exception exception) when (AttemptPath<TEvent>.IsStop(exception, Stopping))
                {
                    AddLeft(count);
                    return;
                }
                catch (Exception exception)
                {
                    failure = exception;
                }

                if (isMeasured)
                    Owner.Telemetry.Processed(Channel.Profile.Tags, Owner.TimeProvider.GetElapsedTime(started), failure?.GetType().FullName);
                if (failure is null)
                    return;

                // Without what the attempt left in the flow of execution: a handler that is no async method does not take it back itself.
                if (context is not null)
                    ExecutionContext.Restore(context);
                if (attempt == Options.MaxAttempts || !ShouldRetry(failure))
                {
                    span.Fail(failure);
                    ReportFailure(first, batch, attempt, failure);
                    return;
                }

                TimeSpan delay = DelayAfter(attempt);
                LogFailure(first, count, attempt, failure, delay);
                flow.Returned(isOver: false);
                await PauseAsync(delay).ConfigureAwait(false);
                if (Stopping.IsCancellationRequested)
                {
                    AddLeft(count);
                    return;
                }
            }
        }
        catch (Exception exception)
        {
            // The handler's own exceptions do not get here; whatever else fails, as memory runs out, costs it these events and not its end.
            AddLeft(count);
            Log.EventNotHandled(Owner.Logger, exception, Name, Channel.Profile.ToString(), count);
        }
        finally
        {
            flow.End();
        }
    }

    private static ActivityLink[]? LinksOf(in Taken<TEvent> taken) =>
        taken.Origin is TracedOrigin traced ? [new ActivityLink(traced.Publisher)] : null;

    private static Envelope<object> Box(Envelope<TEvent> envelope) => new(envelope.Topic, envelope.Event)
    {
        Sequence = envelope.Sequence,
        PublishedAtTicks = envelope.PublishedAtTicks,
        Missed = envelope.Missed,
        Node = envelope.Node,
    };

    private bool ShouldRetry(Exception failure)
    {
        try
        {
            return Options.ShouldRetry?.Invoke(failure) ?? true;
        }
        catch (Exception exception)
        {
            // The failure that it was asked about is the one to be told; trying again without an answer could do harm.
            if (_failures.TryPass())
                Log.ShouldRetryFailed(Owner.Logger, exception, Name, Channel.Profile.ToString());
            return false;
        }
    }

    private void LogFailure(in Taken<TEvent> first, int count, int attempt, Exception failure, TimeSpan? retryIn)
    {
        if (retryIn is not null ? !Owner.Logger.IsEnabled(LogLevel.Debug) : !_failures.TryPass())
            return;
        string patterns = Channel.Profile.ToString();
        string eventType = first.EventType.ToString();
        if (retryIn is null)
            Log.HandlerFailed(Owner.Logger, failure, Name, patterns, count, eventType, first.Origin.Topic, attempt);
        else
            Log.HandlerRetries(Owner.Logger, failure, Name, patterns, count, eventType, first.Origin.Topic, attempt, retryIn.Value);
    }

    /// <summary>Tells that an event, or a batch, was given up.</summary>
    private void ReportFailure(in Taken<TEvent> first, Envelope<TEvent>[]? batch, int attempts, Exception failure)
    {
        LogFailure(first, batch?.Length ?? 1, attempts, failure, retryIn: null);

        // A handler of the bus's own events that fails is only logged, or it might go on for ever.
        if (first.Origin.IsOwn)
            return;
        Envelope<object>[] events = batch is null ? [Box(first.Envelope)] : Array.ConvertAll(batch, Box);
        SubscriberProfile profile = Channel.Profile;
        Owner.HandlerFailed(new BusEvent.HandlerFailed(
            Channel.Id, profile.Name, profile.PatternNames, Name, first.Origin.Topic, first.EventType, events.Length, attempts, failure)
        {
            Events = events,
        });
    }

    /// <summary>Tells that the handler gets no more events because there were too many; after it has handled what it had.</summary>
    private void ReportOverflow(SubscriptionOverflowException overflow)
    {
        SubscriberProfile profile = Channel.Profile;
        Log.HandlerOverflowed(Owner.Logger, overflow, Name, profile.ToString());

        // As above.
        if (profile.ListensToOwn)
            return;
        Owner.HandlerFailed(new BusEvent.HandlerFailed(
            Channel.Id, profile.Name, profile.PatternNames, Name, overflow.Topic, profile.EventType, EventCount: 0, Attempts: 0, overflow));
    }

    private TimeSpan DelayAfter(int attempt)
    {
        // Jittered, so that handlers that failed together do not try again together.
        double longest = Options.MaxRetryDelay.Ticks;
        double ticks = Math.Min(Options.RetryDelay.Ticks * Math.Pow(2, attempt - 1), longest) * (0.75 + (Random.Shared.NextDouble() / 2));
        return TimeSpan.FromTicks((long)Math.Min(ticks, longest));
    }
}
