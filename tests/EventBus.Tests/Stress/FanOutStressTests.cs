using System.Collections.Concurrent;

namespace EventBus.Tests.Stress;

/// <summary>Eight publishers and 64 subscribers, of which many join, leave, end and are replaced while events flow.</summary>
/// <remarks>
/// Invariants, for every subscription there ever was: each publisher's events come in order and none twice; what was matched was
/// delivered, dropped or discarded, nothing else; the sum of all <c>Missed</c> is never above <c>Dropped</c>. And nothing hangs.
/// </remarks>
public sealed class FanOutStressTests
{
    private const int Publishers = 8;
    private const int Subscribers = 64;
    private static readonly TimeSpan Guard = TimeSpan.FromMinutes(1);
    private static readonly string[] Topics = ["s:1", "s:2", "s:3", "s:4"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Publish_ManyJoiningLeavingAndEnding_KeepsEveryPromise(int seed)
    {
        using InProcessEventBus bus = new();
        StressRun run = new(bus, seed, eventsPerPublisher: 12_500);
        await run.RunAsync(async: false).WaitAsync(Guard);
        run.ShouldHold();
    }

    [Theory]
    [InlineData(3)]
    public async Task PublishAsyncMixedIn_SmallChannelsAndCompetingReaders_KeepsEveryPromise(int seed)
    {
        using InProcessEventBus bus = new();
        StressRun run = new(bus, seed, eventsPerPublisher: 12_500);
        await run.RunAsync(async: true).WaitAsync(Guard);
        run.ShouldHold();
    }

    private readonly record struct Numbered(int Publisher, int Number);

    private sealed class StressRun(InProcessEventBus bus, int seed, int eventsPerPublisher)
    {
        private readonly ConcurrentQueue<string> _faults = new();
        private readonly ConcurrentBag<Task> _draining = [];
        private long _matched;

        public async Task RunAsync(bool async)
        {
            Task[] churners = [.. Enumerable.Range(0, Subscribers).Select(i => Task.Run(() => ChurnAsync(new Random((seed * 1000) + i), async)))];
            Task[] publishers = [.. Enumerable.Range(0, Publishers).Select(p => Task.Run(() => PublishAsync(p, async)))];
            await Task.WhenAll(publishers);

            // Ends all there are, for their readers to read out, and lets nobody in any more.
            bus.Dispose();
            await Task.WhenAll(churners);
            await Task.WhenAll(_draining);
        }

        public void ShouldHold()
        {
            _faults.Take(20).Should().BeEmpty($"seed {seed}");
            EventBusStatistics now = bus.GetStatistics();
            now.Published.Should().Be((long)Publishers * eventsPerPublisher);
            now.Queued.Should().Be(0, $"seed {seed}");
            now.Subscriptions.Should().Be(0);
            now.Delivered.Should().BePositive();
            (now.Delivered + now.Dropped + now.Discarded).Should().Be(_matched, $"seed {seed}: everything matched went somewhere, {now}");
        }

        private async Task PublishAsync(int publisher, bool async)
        {
            Random random = new((seed * 100) + publisher);
            for (int i = 0; i < eventsPerPublisher; i++)
            {
                string topic = Topics[random.Next(Topics.Length)];
                PublishResult result;
                if (async && random.Next(3) > 0)
                {
                    result = await bus.PublishAsync(topic, new Numbered(publisher, i));
                }
                else
                {
                    result = bus.Publish(topic, new Numbered(publisher, i));
                    if (i % 64 == 0)
                        await Task.Yield();
                }

                Interlocked.Add(ref _matched, result.Matched);
                if (random.Next(2000) == 0)
                    bus.Complete(topic);
            }
        }

        /// <summary>One place among the subscribers: it is taken anew as soon as it is free, until the bus ends.</summary>
        private async Task ChurnAsync(Random random, bool async)
        {
            OverflowPolicy[] policies = Enum.GetValues<OverflowPolicy>();
            while (true)
            {
                using CancellationTokenSource end = new();
                Subscription<Numbered> subscription;
                try
                {
                    subscription = bus.Subscribe<Numbered>(
                        random.Next(3) == 0 ? ["s:*"] : random.Next(3) == 0 ? ["s:1", "s:*", "#"] : [Topics[random.Next(Topics.Length)]],
                        new()
                        {
                            Capacity = async ? random.Next(1, 5) : random.Next(1, 300),
                            Overflow = policies[random.Next(policies.Length)],
                            WaitTimeout = TimeSpan.FromMilliseconds(random.Next(3)),
                        },
                        end.Token);
                }
                catch (ObjectDisposedException)
                {
                    return;
                }

                int wanted = random.Next(50, 4000);
                int kind = random.Next(4);
                if (async && kind == 3)
                    await CompeteAsync(subscription, wanted, random.Next());
                else if (kind == 0)
                    await LoopAsync(subscription, wanted);
                else
                    await ReadAsync(subscription, wanted, kind == 1 ? end : null);
            }
        }

        /// <summary>Reads in a loop and breaks out: what is queued is discarded.</summary>
        private async Task LoopAsync(Subscription<Numbered> subscription, int wanted)
        {
            Observed observed = new(subscription);
            try
            {
                await foreach (Envelope<Numbered> envelope in subscription)
                {
                    observed.Add(envelope, _faults);
                    if (--wanted == 0)
                        break;
                }
            }
            catch (SubscriptionOverflowException)
            {
                // One of those that close.
            }

            observed.End(_faults);
        }

        /// <summary>Reads some, then drains, by a token or by itself: the rest is read to the end.</summary>
        private async Task ReadAsync(Subscription<Numbered> subscription, int wanted, CancellationTokenSource? end)
        {
            Observed observed = new(subscription);
            try
            {
                while (await subscription.Reader.WaitToReadAsync())
                {
                    while (subscription.Reader.TryRead(out Envelope<Numbered> envelope))
                    {
                        observed.Add(envelope, _faults);
                        if (--wanted == 0)
                        {
                            if (end is null)
                                _draining.Add(subscription.DrainAsync().AsTask());
                            else
                                await end.CancelAsync();
                        }
                    }
                }
            }
            catch (SubscriptionOverflowException)
            {
                // One of those that close.
            }

            await subscription.Completion;
            observed.End(_faults);
            if (observed.Read != subscription.Delivered)
                _faults.Enqueue($"{subscription} delivered {subscription.Delivered}, and {observed.Read} were read.");
        }

        /// <summary>Two readers that compete, one of which gives its waits up now and then.</summary>
        private async Task CompeteAsync(Subscription<Numbered> subscription, int wanted, int readerSeed)
        {
            ConcurrentQueue<Numbered> all = new();
            int left = wanted;
            await Task.WhenAll(Task.Run(() => TakeAsync(impatient: false)), Task.Run(() => TakeAsync(impatient: true)));
            if (all.Distinct().Count() != all.Count)
                _faults.Enqueue($"{subscription} gave an event to both readers.");
            if (all.Count != subscription.Delivered)
                _faults.Enqueue($"{subscription} delivered {subscription.Delivered}, and {all.Count} were read.");

            async Task TakeAsync(bool impatient)
            {
                Random random = new(readerSeed);
                try
                {
                    while (true)
                    {
                        using CancellationTokenSource impatience = new();
                        ValueTask<bool> wait = subscription.Reader.WaitToReadAsync(impatient ? impatience.Token : default);
                        if (impatient && random.Next(2) == 0)
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

                        while (subscription.Reader.TryRead(out Envelope<Numbered> envelope))
                        {
                            all.Enqueue(envelope.Event);
                            if (Interlocked.Decrement(ref left) == 0)
                                _draining.Add(subscription.DrainAsync().AsTask());
                        }
                    }
                }
                catch (SubscriptionOverflowException)
                {
                    // One of those that close.
                }
            }
        }
    }

    /// <summary>What one reader saw of one subscription.</summary>
    private sealed class Observed(Subscription<Numbered> subscription)
    {
        private readonly int[] _last = [.. Enumerable.Repeat(-1, Publishers)];
        private long _missed;

        public long Read { get; private set; }

        public void Add(in Envelope<Numbered> envelope, ConcurrentQueue<string> faults)
        {
            Read++;
            _missed += envelope.Missed;
            (int publisher, int number) = envelope.Event;
            if (number <= _last[publisher])
                faults.Enqueue($"{subscription} saw {number} of publisher {publisher} after {_last[publisher]}.");
            _last[publisher] = number;
            if (envelope.Missed < 0)
                faults.Enqueue($"{subscription} missed {envelope.Missed}.");
        }

        public void End(ConcurrentQueue<string> faults)
        {
            if (_missed > subscription.Dropped)
                faults.Enqueue($"{subscription} was told of {_missed} missed, and dropped {subscription.Dropped}.");
        }
    }
}
