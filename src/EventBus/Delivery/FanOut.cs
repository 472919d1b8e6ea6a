namespace EventBus.Delivery;

/// <summary>
/// One publish on its way through its subscriptions: what they are offered, and what is to be done once no lock is held any
/// more. Lives on the publisher's stack.
/// </summary>
internal ref struct FanOut
{
    /// <summary>What is written beside the event; set before the first offer.</summary>
    public Stamp Stamp;

    /// <summary>Whether the publisher would wait for room.</summary>
    public readonly bool MayWait;

    /// <summary>Whether every loss is wanted, not only the first of an episode.</summary>
    private readonly bool _reportsEveryLoss;

    public int Matched;
    public int Dropped;

    /// <summary>Readers that found something: taken out of their channels, to be woken.</summary>
    public ReadWait? Wakes;

    /// <summary>What the publisher waits for, made by the first full subscription that is waited for.</summary>
    public PendingPublish? Pending;
    private List<Loss>? _losses;
    private List<SubscriberChannel>? _ended;

    public FanOut(bool mayWait, bool reportsEveryLoss)
    {
        MayWait = mayWait;
        _reportsEveryLoss = reportsEveryLoss;
    }

    /// <summary>Notes a loss; called under the channel's lock.</summary>
    public void Add(in Loss loss)
    {
        Dropped += loss.Count;
        if (loss.BeginsEpisode || _reportsEveryLoss)
            (_losses ??= []).Add(loss);
    }

    /// <summary>Notes a channel that this publish ended; called under the channel's lock.</summary>
    public void AddEnded(SubscriberChannel channel) => (_ended ??= []).Add(channel);

    /// <summary>Does what had to wait until no lock was held.</summary>
    public readonly void Settle()
    {
        ReadWait.CompleteAll(Wakes, readable: true);
        if (_ended is not null)
        {
            foreach (SubscriberChannel channel in _ended)
                channel.AfterEnd();
        }

        if (_losses is not null)
        {
            foreach (Loss loss in _losses)
                loss.Channel.Owner.Lost(loss);
        }
    }
}
