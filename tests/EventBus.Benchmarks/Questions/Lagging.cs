using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What those who keep up and their publisher pay for others that do not.</summary>
internal static class Lagging
{
    public static readonly Question Question = new(
        "lagging",
        "One publish to 1,000 subscribers with room: when all keep up, when a tenth are full and never read again, and when one has room for a " +
        "single event. Bursts are read back by those that read, and what the others hold and lost is checked.",
        Answer);

    private static IEnumerable<Table> Answer(Effort effort)
    {
        int all = effort.IsQuick ? 100 : 1000;
        Table table = new($"of {all:#,0} subscribers", "", "median", "min – max", "allocated", "vs loop", "");
        foreach (Slow slow in new[]
        {
            new Slow("none lags", all, 0, 1024, OverflowPolicy.Wait),
            new Slow("a tenth lags, DropWrite", all, all / 10, 1024, OverflowPolicy.DropWrite),
            new Slow("a tenth lags, DropOldest", all, all / 10, 1024, OverflowPolicy.DropOldest),
            new Slow("one has capacity 1", all, 1, 1, OverflowPolicy.Wait),
        })
        {
            (int length, int bursts) = PublishWithRoom.Amount(all, effort);
            table.AddRace(slow.Name, Race.Run(effort, Loop(slow, bursts, length), Bus(slow, bursts, length)));
        }

        yield return table;
    }

    private static Contender Loop(Slow slow, int bursts, int length)
    {
        Channel<Tick>[] channels =
        [
            .. Enumerable.Range(0, slow.All).Select(i => Channel.CreateBounded<Tick>(
                new BoundedChannelOptions(slow.CapacityOf(i)) { SingleReader = true, FullMode = (BoundedChannelFullMode)slow.Overflow })),
        ];
        return Contend(
            "loop",
            slow,
            bursts,
            length,
            () =>
            {
                for (int i = 0; i < length; i++)
                {
                    Tick tick = new(i, 1, 2, 3);
                    foreach (Channel<Tick> channel in channels)
                        channel.Writer.TryWrite(tick);
                }
            },
            i => channels[i].Reader.TryRead(out Tick tick) ? tick.Number : -1,
            (i, _) => channels[i].Reader.Count);
    }

    private static Contender Bus(Slow slow, int bursts, int length)
    {
        InProcessEventBus bus = new();
        Subscription<Tick>[] subscriptions =
        [
            .. Enumerable.Range(0, slow.All).Select(i => bus.Subscribe<Tick>(
                "market:ticks", new SubscriptionOptions { Capacity = slow.CapacityOf(i), Overflow = slow.Overflow })),
        ];
        ChannelReader<Envelope<Tick>>[] readers = [.. subscriptions.Select(s => s.Reader)];
        long[] taken = new long[slow.All];
        return Contend(
            "EventBus",
            slow,
            bursts,
            length,
            () =>
            {
                for (int i = 0; i < length; i++)
                    bus.Publish("market:ticks", new Tick(i, 1, 2, 3));
            },
            i =>
            {
                if (!readers[i].TryRead(out Envelope<Tick> envelope) || (envelope.Missed != 0 && !slow.Is(i)))
                    return -1;
                taken[i]++;
                return envelope.Event.Number;
            },
            (i, published) => subscriptions[i].Dropped == published - taken[i] - subscriptions[i].Count ? subscriptions[i].Count : -1,
            bus.Dispose);
    }

    /// <param name="name">Who does it.</param>
    /// <param name="slow">Who lags.</param>
    /// <param name="bursts">Bursts of a round.</param>
    /// <param name="length">Events of a burst.</param>
    /// <param name="burst">Publishes the numbers from 0.</param>
    /// <param name="read">Gives a subscriber's next number.</param>
    /// <param name="held">Gives what a subscriber holds after so many events; less than nothing where its losses do not add up.</param>
    /// <param name="end">Ends it.</param>
    private static Contender Contend(
        string name, Slow slow, int bursts, int length, Action burst, Func<int, long> read, Func<int, long, int> held, Action? end = null)
    {
        // Until those that lag are full.
        long published = 0;
        while (published <= 1024)
        {
            burst();
            ReadBack();
        }

        return new(name, () => Contender.Bursts(bursts, length, burst, ReadBack), end);

        void ReadBack()
        {
            published += length;
            for (int i = 0; i < slow.All; i++)
            {
                if (slow.Is(i))
                {
                    int expected = (int)Math.Min(slow.Capacity, published);
                    if (held(i, published) != expected || (slow.Capacity == 1 && read(i) != 0))
                        throw new LostEventException($"{name}: the slow subscriber {i} does not hold {expected} events, or has lost others than it tells.");
                    continue;
                }

                for (int e = 0; e < length; e++)
                {
                    if (read(i) != e)
                        throw new LostEventException(name);
                }
            }
        }
    }

    /// <summary>Who lags, among the others: every so manieth.</summary>
    private sealed record Slow(string Name, int All, int Count, int Capacity, OverflowPolicy Overflow)
    {
        public bool Is(int subscriber) => Count > 0 && subscriber % (All / Count) == 0;

        public int CapacityOf(int subscriber) => Is(subscriber) ? Capacity : 1024;
    }
}
