using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace EventBus.Tests.Stress;

/// <summary>One round: some groups of many subscriptions that stay, others that come and go, and several publishers.</summary>
internal sealed class GroupStressRun
{
    private const int Publishers = 4, EventsEach = 1_000, Stayers = 150, Churners = 24, Groups = 8;
    private static readonly string[] StayingPatterns = ["s:1", "s:2", "h:1", "s:*", "#", "h:#", "s:1 h:1", "s:* e:*", "e:* s:*"];
    private static readonly Type[] Types = [typeof(StreamedValue), typeof(StreamedObject), typeof(IStreamed), typeof(object)];

    private readonly InProcessEventBus _bus;
    private readonly int _seed;

    /// <summary>Whether replay is asked for: then more is delivered than publishes matched.</summary>
    private readonly bool _replays;

    /// <summary>Whether publishers give up waiting: then nobody learns how many those publishes matched.</summary>
    private readonly bool _cancels;
    private readonly Streams _streams = new(Publishers + 1);
    private readonly ConcurrentQueue<string> _faults = new();
    private readonly StressPublishing _publishing;
    private readonly StressMember[] _stayers = new StressMember[Stayers];
    private readonly StressMember?[] _churning = new StressMember?[Churners];
    private readonly TaskCompletionSource _stop = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public GroupStressRun(InProcessEventBus bus, int seed)
    {
        (_bus, _seed) = (bus, seed);
        (_replays, _cancels) = (seed % 3 == 2, seed % 3 == 0);
        _publishing = new StressPublishing(bus, _streams, _cancels, AnyMember);
    }

    /// <summary>The channels of all subscriptions there were.</summary>
    public ConcurrentQueue<WeakReference> Channels { get; } = new();

    public async Task<IEnumerable<string>> RunAsync()
    {
        Join();
        Task[] churners = [.. Enumerable.Range(0, Churners).Select(i => Task.Run(() => ChurnAsync(i)))];
        Task[] publishers = [.. Enumerable.Range(0, Publishers)
            .Select(p => Task.Run(() => _publishing.RunAsync(p, EventsEach, new Random((_seed * 100) + p))))];
        await Task.WhenAll(publishers).Soon();
        _stop.SetResult();
        await Task.WhenAll(churners).Soon();

        foreach (StressMember member in _stayers)
            member.Awake.SetResult();
        await WhenAllIsReadAsync();
        await TellWhatWasLostAsync();
        CheckStatistics();
        await CheckSamplesAsync();
        await Task.WhenAll(_stayers.Select(EndAsync)).Soon();
        CheckNothingIsLeft();
        return _faults;
    }

    private void Join()
    {
        Random random = new(_seed);
        (string, Type)[] groups = new (string, Type)[Groups];
        for (int i = 0; i < Groups; i++)
            groups[i] = (StayingPatterns[random.Next(StayingPatterns.Length)], Types[random.Next(Types.Length)]);
        for (int i = 0; i < Stayers; i++)
        {
            (string patterns, Type type) = groups[random.Next(Groups)];
            StressSpec spec = AnySpec(random, patterns, type) with { Replay = Replay.None };
            StreamAccount account = new(_streams, $"Stayer {i} ({spec})", _faults) { IsFromStart = true };
            _stayers[i] = Create(spec, account, random.Next(), long.MaxValue);
        }
    }

    private StressMember Create(StressSpec spec, StreamAccount account, int seed, long wanted)
    {
        StressMember member = StressMember.Create(_bus, spec, account, seed, wanted);
        Channels.Enqueue(new WeakReference(member.Subscription.Channel));
        return member;
    }

    private StressSpec AnySpec(Random random, string patterns, Type type)
    {
        int[] capacities = [1, 2, 3, 5, 8, 16, 33, 64, 64, 1024, 1024];
        ReaderKind kind = (ReaderKind)random.Next((int)ReaderKind.Hanging + 1);

        // Few burn a processor.
        if (kind == ReaderKind.Spinning && random.Next(4) > 0)
            kind = ReaderKind.WaitThenRead;
        return new StressSpec(
            patterns,
            type,
            capacities[random.Next(capacities.Length)],
            (OverflowPolicy)random.Next(5),
            random.Next(4),
            !_replays || random.Next(2) == 0 ? Replay.None : random.Next(2) == 0 ? Replay.All : Replay.Last(random.Next(80)),
            kind);
    }

    private StressMember? AnyMember(Random random) =>
        random.Next(2) == 0 ? _stayers[random.Next(Stayers)] : Volatile.Read(ref _churning[random.Next(Churners)]);

    /// <summary>One place among those that come and go: it is taken anew as soon as it is free.</summary>
    private async Task ChurnAsync(int place)
    {
        Random random = new((_seed * 1000) + place);
        for (int i = 0; !_stop.Task.IsCompleted; i++)
        {
            string patterns = random.Next(6) == 0 ? "e:1" : StayingPatterns[random.Next(StayingPatterns.Length)];
            StressSpec spec = AnySpec(random, patterns, Types[random.Next(Types.Length)]);
            StreamAccount account = new(_streams, $"Churner {place}.{i} ({spec})", _faults) { Replays = spec.Replay != Replay.None };
            StressMember member = Create(spec, account, random.Next(), random.Next(1, 400));
            Volatile.Write(ref _churning[place], member);
            if (spec.Reader == ReaderKind.Hanging)
                await Task.Yield();
            else
                await Task.WhenAny(member.Satisfied.Task, _stop.Task);
            await LeaveAsync(member, random.Next(4));
        }
    }

    private async Task LeaveAsync(StressMember member, int way)
    {
        bool isHandler = member.Spec.Reader is ReaderKind.Handler or ReaderKind.ConcurrentHandler;
        int[] over = _streams.Over();
        switch (way)
        {
            case 0:
                member.Subscription.Dispose();
                break;
            case 1:
                await member.EndToken.CancelAsync();
                break;
            case 2 when member.Subscription is HandlerSubscription handler:
                await handler.DisposeAsync();
                break;
            default:
                member.Awake.TrySetResult();
                await member.Subscription.DrainAsync();
                break;
        }

        int[] begun = _streams.Begun();
        member.Awake.TrySetResult();
        await member.Reading;
        await member.Subscription.Completion;
        StreamAccount account = member.Account;
        if (account.Missed > member.Subscription.Dropped)
            account.Fault($"was told of {account.Missed} missed of {member.Subscription.Dropped} dropped");
        if (account.Read != member.Subscription.Delivered && !(isHandler && way == 0))
            account.Fault($"read {account.Read} of {member.Subscription.Delivered} delivered");
        CheckOffered(member, account.Offered(member.Spec.Wants, over, begun), discards: way == 0);
    }

    private static void CheckOffered(StressMember member, (long Least, long Most) offered, bool discards)
    {
        StreamAccount account = member.Account;
        long known = account.Read + member.Subscription.Dropped;

        // One may have ended by itself, or discarded what nobody told of.
        bool isComplete = !discards && member.Spec is { Overflow: not OverflowPolicy.Close, Reader: not ReaderKind.Loop, Patterns: not "e:1" };
        if (known > offered.Most && !account.Replays)
            account.Fault($"had {known} events of at most {offered.Most}");
        if (isComplete && known < offered.Least)
            account.Fault($"had {known} events of at least {offered.Least}");
    }

    /// <summary>Nobody is left asleep beside what it has to read.</summary>
    private async Task WhenAllIsReadAsync([CallerLineNumber] int line = 0)
    {
        using CancellationTokenSource limit = new(HangGuard.Limit);
        while (Array.Find(_stayers, m => m.Subscription.Count > 0) is { } reading)
        {
            if (limit.IsCancellationRequested)
                throw new TimeoutException($"Seed {_seed}, line {line}: {reading} still has {reading.Subscription.Count} to read.");
            await Task.Yield();
        }
    }

    /// <summary>One more event on every topic, for which everybody has room: it tells all that was lost before it.</summary>
    private async Task TellWhatWasLostAsync()
    {
        for (int topic = 0; topic < Streams.Topics.Length; topic++)
        {
            for (int kind = 0; kind < Streams.Kinds; kind++)
            {
                PublishResult result = _publishing.PublishLast(Streams.IndexOf(Publishers, topic, kind));
                if (result.Dropped > 0)
                    _faults.Enqueue($"{result} on an empty bus");
                await WhenAllIsReadAsync();
            }
        }
    }

    private void CheckStatistics()
    {
        EventBusStatistics now = _bus.GetStatistics();
        long settled = now.Delivered + now.Dropped + now.Discarded + now.Queued;
        if (_replays || _cancels ? settled < _publishing.Matched : settled != _publishing.Matched)
            _faults.Enqueue($"{_publishing.Matched} matched, {settled} settled: {now}");
        if (now.Queued != 0 || now.Published != _streams.Begun().Sum(n => (long)n))
            _faults.Enqueue($"{now}");
    }

    /// <summary>Each of several readers may still have in hand what it took last, and a thread on its stack what it has just read.</summary>
    private async Task CheckSamplesAsync()
    {
        int inHand = _stayers.Count(m => m.Spec.Reader == ReaderKind.Competing), alive = int.MaxValue;
        for (int i = 0; i < 50 && alive > inHand; i++)
        {
            await Task.Yield();
            Memory.Collect();
            alive = _publishing.Samples.Count(s => s.IsAlive);
        }

        if (alive > inHand)
            _faults.Enqueue($"{alive} of {_publishing.Samples.Count} events that everybody had read were kept, and {inHand} may be");
        if (_publishing.Samples.Count < 20)
            _faults.Enqueue($"{_publishing.Samples.Count} samples are too few");
    }

    private async Task EndAsync(StressMember member)
    {
        bool overflows = member.Spec.Overflow == OverflowPolicy.Close && member.Subscription.Dropped > 0;
        if (member.Random.Next(2) == 0)
            await member.EndToken.CancelAsync();
        else
            member.Subscription.Dispose();
        await member.Reading;
        await member.Subscription.Completion;

        StreamAccount account = member.Account;
        int[] begun = _streams.Begun();
        long offered = Enumerable.Range(0, _streams.Count).Where(member.Spec.Wants).Sum(s => (long)begun[s]) - account.Excepted.Count;
        long dropped = member.Subscription.Dropped;
        if (account.Read != member.Subscription.Delivered)
            account.Fault($"read {account.Read} of {member.Subscription.Delivered} delivered");
        if (overflows ? (dropped, account.Missed) != (1, 0) : account.Missed != dropped)
            account.Fault($"was told of {account.Missed} missed of {dropped} dropped");
        if (overflows ? account.Read + dropped > offered : account.Read + dropped != offered)
            account.Fault($"read {account.Read} and lost {dropped} of {offered}");
    }

    private void CheckNothingIsLeft()
    {
        EventBusStatistics now = _bus.GetStatistics();
        if ((now.Subscriptions, now.Topics, now.Queued) != (0, 0, 0) || _bus.GetSubscriptions().Count > 0)
            _faults.Enqueue($"After the end: {now}");
    }
}
