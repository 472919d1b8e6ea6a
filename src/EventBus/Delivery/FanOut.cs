using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>
/// One publish on its way through its subscriptions: what they are offered, and what is to be done once no lock is held any
/// more. Lives on the publisher's stack.
/// </summary>
/// <remarks>
/// What a channel gives it (readers to wake, its end) the channel has given up: so it is settled whatever happens between the first
/// offer and the last.
/// </remarks>
internal ref struct FanOut
{
    /// <summary>What is written beside the event; set before the first offer.</summary>
    public Stamp Stamp;

    /// <summary>Whether the publisher would wait for room.</summary>
    public readonly bool MayWait;

    /// <summary>Whether every loss is wanted, not only those to be reported.</summary>
    private readonly bool _reportsEveryLoss;

    /// <summary>1 until the publish was counted: by the first group that takes it, under a lock that it holds anyway.</summary>
    public int Uncounted;
    public int Matched;
    public int Dropped;

    /// <summary>Readers that are to be woken one by one, taken out of where they waited.</summary>
    private ReadWait? _wakes;

    /// <summary>What wakes the readers of groups that have many, and is to be queued for it.</summary>
    private Relay? _relays;

    /// <summary>What the publisher waits for, made by the first full subscription that is waited for.</summary>
    public PendingPublish? Pending;
    private List<Loss>? _losses;
    private List<SubscriberChannel>? _ended;

    public FanOut(bool mayWait, bool reportsEveryLoss)
    {
        MayWait = mayWait;
        _reportsEveryLoss = reportsEveryLoss;
    }

    /// <summary>Notes readers to be woken; called under the lock that they were taken out under.</summary>
    public void AddWakes(ReadWait? wakes) => _wakes = ReadWait.Join(wakes, _wakes);

    /// <summary>Notes a relay to be queued; called under its group's lock.</summary>
    public void AddRelay(Relay relay)
    {
        relay.Next = _relays;
        _relays = relay;
    }

    /// <summary>Notes a loss; called under the channel's lock. Never throws.</summary>
    public void Add(in Loss loss)
    {
        Dropped += loss.Count;
        if (!_reportsEveryLoss && !loss.Channel.LagReports.IsConcernedBy(loss.BeginsEpisode, Stamp.PublishedAtTicks))
            return;
        try
        {
            (_losses ??= []).Add(loss);
        }
        catch (OutOfMemoryException)
        {
            // It is counted; there is no memory to tell it.
        }
    }

    /// <summary>Notes a channel that this publish is about to end; called under the channel's lock.</summary>
    public void AddEnded(SubscriberChannel channel) => (_ended ??= []).Add(channel);

    /// <summary>Does what had to wait until no lock was held. Never throws.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Settle()
    {
        // Most publishes leave nothing to do.
        if (_relays is not null || _wakes is not null || _ended is not null || _losses is not null)
            SettleAll();
    }

    private readonly void SettleAll()
    {
        for (Relay? relay = _relays; relay is not null;)
        {
            // Read before: once it is queued it may be part of another publish.
            Relay? next = relay.Next;
            relay.Next = null;
            relay.Queue();
            relay = next;
        }

        ReadWait.CompleteAll(_wakes, readable: true);
        if (_ended is not null)
        {
            foreach (SubscriberChannel channel in _ended)
                channel.AfterOverflow();
        }

        if (_losses is not null)
        {
            foreach (Loss loss in _losses)
                SubscriberChannel.Report(loss);
        }
    }
}
