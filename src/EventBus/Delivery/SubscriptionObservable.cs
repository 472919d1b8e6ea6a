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

    /// <summary>An event that was taken out while the last observer left: the next one gets it. Belongs to the running pump.</summary>
    private Envelope<TEvent>? _undelivered;

    public SubscriptionObservable(Subscription<TEvent> subscription, SubscriberChannel<TEvent> channel)
    {
        _subscription = subscription;
        _channel = channel;
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
                _pump = PumpAsync(_pump, _detached.Token);
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

    private async Task PumpAsync(Task previous, CancellationToken detached)
    {
        // Off the caller's stack, and after the pump before it: two would read beside each other and hand over in any order.
        await previous.ConfigureAwait(ConfigureAwaitOptions.ForceYielding | ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            do
            {
                while (!detached.IsCancellationRequested && TryTake(out Envelope<TEvent> envelope))
                {
                    if (!Notify(Volatile.Read(ref _observers), o => o.OnNext(envelope)))
                        _undelivered = envelope;
                }
            }
            while (await _channel.WaitToReadAsync(_subscription, detached).ConfigureAwait(false));

            Notify(DetachAll(), static o => o.OnCompleted());
        }
        catch (OperationCanceledException) when (detached.IsCancellationRequested)
        {
            // The last observer left.
        }
        catch (SubscriptionOverflowException overflow)
        {
            Notify(DetachAll(), o => o.OnError(overflow));
        }
    }

    private bool TryTake(out Envelope<TEvent> envelope)
    {
        if (_undelivered is not { } kept)
            return _channel.TryRead(out envelope);
        envelope = kept;
        _undelivered = null;
        return true;
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

    /// <returns>Whether there was anyone left to be told.</returns>
    private bool Notify(Attachment[] attachments, Action<IObserver<Envelope<TEvent>>> call)
    {
        bool told = false;
        foreach (Attachment attachment in attachments)
        {
            if (attachment.IsDetached)
                continue;
            told = true;
            try
            {
                call(attachment.Observer);
            }
            catch (Exception exception)
            {
                attachment.Dispose();
                _channel.Owner.ObserverFailed(_channel, exception);
            }
        }

        return told;
    }

    private sealed class Attachment(SubscriptionObservable<TEvent> observable, IObserver<Envelope<TEvent>> observer) : IDisposable
    {
        private volatile bool _isDetached;

        public IObserver<Envelope<TEvent>> Observer => observer;

        public bool IsDetached => _isDetached;

        public void Dispose()
        {
            _isDetached = true;
            observable.Detach(this);
        }
    }
}
