using System.Diagnostics.CodeAnalysis;

namespace EventBus.Delivery;

/// <summary>Hands each event of a subscription to every observer. Reads only while there is one.</summary>
/// <remarks>
/// <see cref="_observers"/> is an immutable array replaced under <see cref="_gate"/>, and so is <see cref="_detached"/>, which
/// is not null exactly while a pump runs. Observers are called by the pump alone and with no lock held.
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "The token source lives from the first observer to the last, and is disposed then.")]
internal sealed class SubscriptionObservable<TEvent> : IObservable<Envelope<TEvent>>
    where TEvent : notnull
{
    private readonly Subscription<TEvent> _subscription;
    private readonly SubscriberChannel<TEvent> _channel;
    private readonly Lock _gate = new();
    private Attachment[] _observers = [];

    /// <summary>Wakes the pump when the last observer leaves.</summary>
    private CancellationTokenSource? _detached;

    /// <summary>The pump that ran last; the next one starts when it has let go of the reader.</summary>
    private Task _pump = Task.CompletedTask;

    public SubscriptionObservable(Subscription<TEvent> subscription)
    {
        _subscription = subscription;
        _channel = subscription.TypedChannel;
    }

    public IDisposable Subscribe(IObserver<Envelope<TEvent>> observer)
    {
        ArgumentNullException.ThrowIfNull(observer);
        Attachment attachment = new(this, observer);
        lock (_gate)
        {
            _observers = [.. _observers, attachment];
            if (_detached is null)
            {
                _detached = new CancellationTokenSource();
                _pump = StartPump(_pump, _detached.Token);
            }
        }

        return attachment;
    }

    private void Detach(Attachment attachment)
    {
        CancellationTokenSource? detached = null;
        lock (_gate)
        {
            if (_observers.Length == 0)
                return;
            _observers = Array.FindAll(_observers, o => o != attachment);
            if (_observers.Length == 0)
                (detached, _detached) = (_detached, null);
        }

        detached?.Cancel();
        detached?.Dispose();
    }

    /// <remarks>Observers share one pump, so none of them may inherit the locals and the span of whoever attached first.</remarks>
    private Task StartPump(Task previous, CancellationToken detached)
    {
        using (ExecutionContext.IsFlowSuppressed() ? default(AsyncFlowControl?) : ExecutionContext.SuppressFlow())
            return Task.Run(() => PumpAsync(previous, detached), CancellationToken.None);
    }

    private async Task PumpAsync(Task previous, CancellationToken detached)
    {
        // After the pump before it: two would read beside each other and hand over in any order.
        await previous.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            do
            {
                while (!detached.IsCancellationRequested && _channel.TryTake(hold: true, out Taken<TEvent> taken))
                    HandOver(taken);
            }
            while (await _channel.WaitToReadAsync(_subscription, takes: true, detached).ConfigureAwait(false));

            foreach (Attachment attachment in DetachAll())
                attachment.Tell(static observer => observer.OnCompleted());
        }
        catch (OperationCanceledException) when (detached.IsCancellationRequested)
        {
            // The last observer left, perhaps when the pump had been told of an event.
            _channel.PassOn();
        }
        catch (Exception exception)
        {
            // An overflow, or no memory to go on.
            foreach (Attachment attachment in DetachAll())
                attachment.Tell(observer => observer.OnError(exception));
        }
    }

    /// <summary>Hands an event to every observer; or, if the last one has left meanwhile, back to whoever reads next.</summary>
    private void HandOver(in Taken<TEvent> taken)
    {
        bool isOurs = false;
        foreach (Attachment attachment in Volatile.Read(ref _observers))
        {
            if (attachment.IsDetached)
                continue;

            // From here on somebody gets it; nobody does if the subscriber has left.
            if (!isOurs && !_channel.Release(taken))
                return;
            isOurs = true;
            attachment.Next(taken.Envelope);
        }

        if (!isOurs)
            _channel.GiveBack(taken);
    }

    /// <summary>Lets all observers go at the end, so that one who comes later is told of the end by a pump of its own.</summary>
    private Attachment[] DetachAll()
    {
        lock (_gate)
        {
            Attachment[] observers = _observers;
            _observers = [];
            _detached = null;
            return observers;
        }
    }

    private sealed class Attachment(SubscriptionObservable<TEvent> observable, IObserver<Envelope<TEvent>> observer) : IDisposable
    {
        private volatile bool _isDetached;

        public bool IsDetached => _isDetached;

        public void Next(in Envelope<TEvent> envelope)
        {
            try
            {
                observer.OnNext(envelope);
            }
            catch (Exception exception)
            {
                Fail(exception);
            }
        }

        /// <summary>Tells of the end, unless the observer has left.</summary>
        public void Tell(Action<IObserver<Envelope<TEvent>>> end)
        {
            if (IsDetached)
                return;
            try
            {
                end(observer);
            }
            catch (Exception exception)
            {
                Fail(exception);
            }
        }

        public void Dispose()
        {
            _isDetached = true;
            observable.Detach(this);
        }

        private void Fail(Exception exception)
        {
            Dispose();
            observable._channel.Owner.ObserverFailed(observable._channel, exception);
        }
    }
}
