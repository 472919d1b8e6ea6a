using System.Threading.Channels;

namespace EventBus.Tests.Stress;

/// <summary>How a member reads.</summary>
internal enum ReaderKind
{
    Loop,
    WaitThenRead,
    ReadAsync,
    Spinning,
    Sleepy,
    Competing,
    Observed,
    Handler,
    ConcurrentHandler,

    /// <summary>Reads nothing until it is told to.</summary>
    Hanging,
}

/// <summary>How a member is made.</summary>
internal sealed record StressSpec(
    string Patterns, Type Type, int Capacity, OverflowPolicy Overflow, int WaitMilliseconds, Replay Replay, ReaderKind Reader)
{
    private readonly TopicPattern[] _patterns = [.. Patterns.Split(' ').Select(TopicPattern.Parse)];

    public string[] PatternList() => Patterns.Split(' ');

    public bool Wants(int stream) =>
        (Streams.IsValue(stream) ? Type != typeof(StreamedObject) : Type != typeof(StreamedValue))
        && Array.Exists(_patterns, p => p.Matches(Streams.TopicOf(stream)));

    public TOptions Fill<TOptions>(TOptions options)
        where TOptions : SubscriptionOptions
    {
        (options.Capacity, options.Overflow, options.Replay) = (Capacity, Overflow, Replay);
        options.WaitTimeout = TimeSpan.FromMilliseconds(WaitMilliseconds);
        return options;
    }
}

/// <summary>One subscription, those who read it, and what they were given.</summary>
internal abstract class StressMember(StressSpec spec, StreamAccount account, int seed)
{
    public StressSpec Spec => spec;

    public StreamAccount Account => account;

    public Random Random { get; } = new(seed);

    public abstract Subscription Subscription { get; }

    /// <summary>Ends when nobody reads it any more.</summary>
    public abstract Task Reading { get; }

    public CancellationTokenSource EndToken { get; } = new();

    /// <summary>Lets one that hangs begin to read.</summary>
    public TaskCompletionSource Awake { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completed when it has read as many as it wanted.</summary>
    public TaskCompletionSource Satisfied { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>How many it wants before it leaves.</summary>
    public long Wanted { get; init; } = long.MaxValue;

    public static StressMember Create(InProcessEventBus bus, StressSpec spec, StreamAccount account, int seed, long wanted)
    {
        if (spec.Type == typeof(StreamedValue))
            return new StressMember<StreamedValue>(bus, spec, account, seed) { Wanted = wanted };
        if (spec.Type == typeof(StreamedObject))
            return new StressMember<StreamedObject>(bus, spec, account, seed) { Wanted = wanted };
        return spec.Type == typeof(IStreamed)
            ? new StressMember<IStreamed>(bus, spec, account, seed) { Wanted = wanted }
            : new StressMember<object>(bus, spec, account, seed) { Wanted = wanted };
    }

    public override string ToString() => $"{spec}";
}

internal sealed class StressMember<TEvent> : StressMember
    where TEvent : notnull
{
    private readonly Subscription<TEvent>? _pulled;

    public StressMember(InProcessEventBus bus, StressSpec spec, StreamAccount account, int seed)
        : base(spec, account, seed)
    {
        if (spec.Reader is ReaderKind.Handler or ReaderKind.ConcurrentHandler)
        {
            bool isAlone = spec.Reader == ReaderKind.Handler;
            StreamSight sight = new(account, isAlone);
            HandlerOptions options = spec.Fill(new HandlerOptions { MaxConcurrency = isAlone ? 1 : 4 });
            Subscription = bus.Handle<TEvent>(spec.PatternList(), (e, _) => HandleAsync(e, sight), options, EndToken.Token);
            Reading = Subscription.Completion;
        }
        else
        {
            Subscription = _pulled = bus.Subscribe<TEvent>(spec.PatternList(), spec.Fill(new SubscriptionOptions()), EndToken.Token);
            Reading = Task.Run(ReadAsync);
        }

        account.Joined();
    }

    public override Subscription Subscription { get; }

    public override Task Reading { get; }

    private ChannelReader<Envelope<TEvent>> Reader => _pulled!.Reader;

    private async ValueTask HandleAsync(Envelope<TEvent> envelope, StreamSight sight)
    {
        See(sight, envelope);
        if (envelope.GetHashCode() % 16 == 0)
            await Task.Yield();
    }

    private void See(StreamSight sight, in Envelope<TEvent> envelope)
    {
        sight.See(envelope);
        if (Account.Read >= Wanted)
            Satisfied.TrySetResult();
    }

    private async Task ReadAsync()
    {
        try
        {
            StreamSight alone = new(Account, isAlone: true);
            switch (Spec.Reader)
            {
                case ReaderKind.Loop:
                    await LoopAsync(alone);
                    break;
                case ReaderKind.ReadAsync:
                    while (true)
                        See(alone, await Reader.ReadAsync());
                case ReaderKind.Spinning:
                    await SpinAsync(alone);
                    break;
                case ReaderKind.Observed:
                    await ObserveAsync(alone);
                    break;
                case ReaderKind.Competing:
                    await Task.WhenAll(Enumerable.Range(0, 3).Select(i => Task.Run(() => CompeteAsync(i, new StreamSight(Account, isAlone: false)))));
                    break;
                case ReaderKind.Hanging:
                    await Awake.Task;
                    await WaitThenReadAsync(alone);
                    break;
                default:
                    await WaitThenReadAsync(alone);
                    break;
            }
        }
        catch (Exception end) when (end is ChannelClosedException or SubscriptionOverflowException)
        {
            // The end, or one of those that close.
        }
        finally
        {
            Satisfied.TrySetResult();
        }
    }

    /// <summary>Leaves when it has enough, by leaving the loop.</summary>
    private async Task LoopAsync(StreamSight sight)
    {
        await foreach (Envelope<TEvent> envelope in _pulled!)
        {
            See(sight, envelope);
            if (Account.Read >= Wanted)
                break;
        }
    }

    private async Task WaitThenReadAsync(StreamSight sight)
    {
        while (await Reader.WaitToReadAsync())
        {
            while (Reader.TryRead(out Envelope<TEvent> envelope))
            {
                See(sight, envelope);
                if (Spec.Reader != ReaderKind.Sleepy)
                    continue;
                for (int naps = Random.Next(4); naps > 0; naps--)
                    await Task.Yield();
            }
        }
    }

    private async Task SpinAsync(StreamSight sight)
    {
        while (!Subscription.Completion.IsCompleted)
        {
            if (Reader.TryPeek(out Envelope<TEvent> peeked) && Reader.TryRead(out Envelope<TEvent> envelope))
            {
                // Nobody else reads, but what is first may be pushed out in between; then it is missed.
                if (!peeked.Event.Equals(envelope.Event) && envelope.Missed == 0)
                    Account.Fault($"peeked at {peeked} and read {envelope}");
                See(sight, envelope);
            }
            else
            {
                await Task.Yield();
            }
        }
    }

    /// <summary>Readers that compete; one takes single events, one only waits, one gives its waits up now and then.</summary>
    private async Task CompeteAsync(int which, StreamSight sight)
    {
        Random random = new(which);
        try
        {
            if (which == 0)
            {
                while (true)
                    See(sight, await Reader.ReadAsync());
            }

            while (true)
            {
                using CancellationTokenSource impatience = new();
                ValueTask<bool> wait = Reader.WaitToReadAsync(which == 1 ? default : impatience.Token);
                if (which == 2 && random.Next(2) == 0)
                    await impatience.CancelAsync();
                try
                {
                    if (!await wait)
                        return;
                }
                catch (OperationCanceledException)
                {
                    await Task.Yield();
                }

                if (Reader.TryRead(out Envelope<TEvent> envelope))
                    See(sight, envelope);
            }
        }
        catch (Exception end) when (end is ChannelClosedException or SubscriptionOverflowException)
        {
            // The end, or one of those that close.
        }
    }

    /// <summary>Observers that come and go, one at a time.</summary>
    private async Task ObserveAsync(StreamSight sight)
    {
        IObservable<Envelope<TEvent>> observable = _pulled!.AsObservable();
        while (!Subscription.Completion.IsCompleted)
        {
            Observer observer = new(this, sight, Random.Next(1, 200));
            using (observable.Subscribe(observer))
                await observer.Done.Task;
        }

        // The last event counts as read before its observer has been called; whoever comes next is told of the end after that call.
        Observer last = new(this, sight, int.MaxValue);
        using (observable.Subscribe(last))
            await last.Done.Task;
        await Subscription.Completion;
    }

    private sealed class Observer(StressMember<TEvent> member, StreamSight sight, int patience) : IObserver<Envelope<TEvent>>
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void OnNext(Envelope<TEvent> value)
        {
            member.See(sight, value);
            if (--patience == 0)
                Done.TrySetResult();
        }

        public void OnCompleted() => Done.TrySetResult();

        public void OnError(Exception error) => Done.TrySetResult();
    }
}
