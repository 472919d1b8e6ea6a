using System.Threading.Channels;

namespace EventBus.Tests.Delivery;

/// <summary>How a subscription is made. <paramref name="Replay"/>: 0 none, -1 all, else that many.</summary>
internal sealed record MemberSpec(string Patterns, WantedType Type, int Capacity, OverflowPolicy Overflow, int WaitSeconds, int Replay)
{
    public string[] PatternList => Patterns.Split(' ');

    public TimeSpan WaitTimeout => TimeSpan.FromSeconds(WaitSeconds);

    public override string ToString() =>
        $"{Type} of [{Patterns}], {Capacity} {Overflow}, {WaitSeconds} s" + (Replay == 0 ? "" : Replay < 0 ? ", all" : $", last {Replay}");
}

/// <summary>An envelope, whatever its type; or what a reader finds instead of one.</summary>
internal sealed record Seen(int Number, string Topic, long Missed, long Sequence)
{
    public static readonly Seen End = new(-1, "the end", 0, 0);
    public static readonly Seen Overflow = new(-1, "an overflow", 0, 0);
}

/// <summary>What of a subscription can be looked at, and has to be as its model says.</summary>
internal readonly record struct MemberState(int Count, long Delivered, long Dropped, bool IsFinished);

/// <summary>A read that waits. A watcher is only told; a taker takes.</summary>
internal sealed record WaitingRead(Task<Seen?> Taker, Task<bool>? Watcher, CancellationTokenSource Cancel)
{
    public bool Takes => Watcher is null;

    public Task Task => (Task?)Watcher ?? Taker;
}

/// <summary>One subscription and its model.</summary>
internal abstract class GroupMember(int number, MemberSpec spec)
{
    public MemberSpec Spec => spec;

    public ChannelModel Model { get; } = new(spec.Overflow, spec.Capacity, spec.WaitTimeout);

    public List<WaitingRead> Waiting { get; } = [];

    public abstract Subscription Subscription { get; }

    public CancellationTokenSource EndToken { get; } = new();

    public MemberState State =>
        new(Subscription.Count, Subscription.Delivered, Subscription.Dropped, Subscription.Completion.IsCompleted);

    public MemberState ModelState => new(Model.Count, Model.Delivered, Model.Dropped, Model.IsFinished);

    public abstract Task ReaderCompletion { get; }

    public static GroupMember Create(InProcessEventBus bus, int number, MemberSpec spec) => spec.Type switch
    {
        WantedType.Tick => new GroupMember<Tick>(bus, number, spec),
        WantedType.Note => new GroupMember<Note>(bus, number, spec),
        WantedType.Line => new GroupMember<Note.Line>(bus, number, spec),
        WantedType.Numbered => new GroupMember<INumbered>(bus, number, spec),
        _ => new GroupMember<object>(bus, number, spec),
    };

    public abstract Seen? TryRead();

    public abstract Seen? TryPeek();

    /// <summary>Waits for the next event and takes it, by a read or by a step of a loop.</summary>
    public abstract Task<Seen?> TakeAsync(bool byLoop, CancellationToken cancellationToken);

    public abstract Task<bool> WatchAsync(CancellationToken cancellationToken);

    /// <summary>Leaves as a <c>break</c> does.</summary>
    public abstract void LeaveLoop();

    public override string ToString() => $"member {number} ({spec})";
}

internal sealed class GroupMember<TEvent> : GroupMember
    where TEvent : notnull
{
    private readonly Subscription<TEvent> _subscription;

    public GroupMember(InProcessEventBus bus, int number, MemberSpec spec)
        : base(number, spec)
    {
        SubscriptionOptions options = new()
        {
            Capacity = spec.Capacity,
            Overflow = spec.Overflow,
            WaitTimeout = spec.WaitTimeout,
            Replay = spec.Replay == 0 ? Replay.None : spec.Replay < 0 ? Replay.All : Replay.Last(spec.Replay),
        };
        _subscription = bus.Subscribe<TEvent>(spec.PatternList, options, EndToken.Token);
    }

    public override Subscription Subscription => _subscription;

    public override Task ReaderCompletion => _subscription.Reader.Completion;

    public override Seen? TryRead() => _subscription.Reader.TryRead(out Envelope<TEvent> e) ? SeenOf(e) : null;

    public override Seen? TryPeek() => _subscription.Reader.TryPeek(out Envelope<TEvent> e) ? SeenOf(e) : null;

    public override async Task<Seen?> TakeAsync(bool byLoop, CancellationToken cancellationToken)
    {
        try
        {
            if (!byLoop)
                return SeenOf(await _subscription.Reader.ReadAsync(cancellationToken).ConfigureAwait(false));
            await using IAsyncEnumerator<Envelope<TEvent>> loop = _subscription.Reader.ReadAllAsync(cancellationToken).GetAsyncEnumerator(default);
            return await loop.MoveNextAsync().ConfigureAwait(false) ? SeenOf(loop.Current) : Seen.End;
        }
        catch (ChannelClosedException)
        {
            return Seen.End;
        }
        catch (SubscriptionOverflowException)
        {
            return Seen.Overflow;
        }
    }

    public override Task<bool> WatchAsync(CancellationToken cancellationToken) =>
        _subscription.Reader.WaitToReadAsync(cancellationToken).AsTask();

    public override void LeaveLoop() => _subscription.GetAsyncEnumerator().DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static Seen SeenOf(in Envelope<TEvent> envelope) =>
        new(((INumbered)envelope.Event).Number, envelope.Topic, envelope.Missed, envelope.Sequence);
}
