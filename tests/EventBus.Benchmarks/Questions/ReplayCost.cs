using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What history costs: recording it, and handing it to a late subscriber.</summary>
internal static class ReplayCost
{
    public static readonly Question Question = new(
        "replay",
        "A late subscriber subscribes, gets a topic's last 500 events and leaves; and one publish to 1 to 1,024 subscribers on a topic that keeps 500. " +
        "By hand: a queue under a lock, copied into the new channel, and trimmed at each publish.",
        Answer);

    private const int Depth = 500;

    private static IEnumerable<Table> Answer(Effort effort)
    {
        Table table = new("what", "", "median", "min – max", "allocated", "vs loop", "");
        table.AddRace("replay of 500, each event", Race.Run(effort, LoopReplay(effort.Times(100)), BusReplay(effort.Times(100))));
        foreach (int subscribers in new[] { 1, 8, 64, 1024 })
        {
            int bursts = effort.Times(Math.Max(3, 500 / (subscribers + 4)));
            table.AddRace($"publish to {subscribers:#,0}, struct", Race.Run(effort, LoopPublish(subscribers, bursts), BusPublish(subscribers, bursts)));
        }

        yield return table;
    }

    private static Contender LoopReplay(int times)
    {
        Queue<Tick> history = new(Enumerable.Range(0, Depth).Select(i => new Tick(i, 1, 2, 3)));
        List<ChannelWriter<Tick>> subscribers = [];
        Lock gate = new();
        return new("loop", () => Contender.Bursts(times, Depth, Replay, () => { }));

        void Replay()
        {
            Channel<Tick> channel = Bounded();
            lock (gate)
            {
                foreach (Tick tick in history)
                    channel.Writer.TryWrite(tick);
                subscribers.Add(channel.Writer);
            }

            for (int i = 0; i < Depth; i++)
            {
                if (!channel.Reader.TryRead(out Tick tick) || tick.Number != i)
                    throw new LostEventException("loop");
            }

            lock (gate)
                subscribers.Remove(channel.Writer);
        }
    }

    private static Contender BusReplay(int times)
    {
        InProcessEventBus bus = new(new EventBusOptions().KeepHistory("market:*", Depth));
        for (int i = 0; i < Depth; i++)
            bus.Publish("market:ticks", new Tick(i, 1, 2, 3));
        SubscriptionOptions options = new() { Replay = global::EventBus.Replay.All };
        return new("EventBus", () => Contender.Bursts(times, Depth, Replay, () => { }), bus.Dispose);

        void Replay()
        {
            using Subscription<Tick> subscription = bus.Subscribe<Tick>("market:ticks", options);
            for (int i = 0; i < Depth; i++)
            {
                if (!subscription.Reader.TryRead(out Envelope<Tick> envelope) || envelope.Event.Number != i)
                    throw new LostEventException("EventBus");
            }
        }
    }

    private static Contender LoopPublish(int subscribers, int bursts)
    {
        Queue<Tick> history = new(Depth);
        Channel<Tick>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded())];
        ChannelWriter<Tick>[] writers = [.. channels.Select(c => c.Writer)];
        Lock gate = new();
        return new("loop", () => Contender.Bursts(
            bursts, Depth, Burst, () => Array.ForEach(channels, c => ReadBack(() => c.Reader.TryRead(out Tick tick) ? tick.Number : -1))));

        void Burst()
        {
            for (int i = 0; i < Depth; i++)
            {
                Tick tick = new(i, 1, 2, 3);
                lock (gate)
                {
                    if (history.Count == Depth)
                        history.Dequeue();
                    history.Enqueue(tick);
                    foreach (ChannelWriter<Tick> writer in writers)
                        writer.TryWrite(tick);
                }
            }
        }
    }

    private static Contender BusPublish(int subscribers, int bursts)
    {
        InProcessEventBus bus = new(new EventBusOptions().KeepHistory("market:*", Depth));
        ChannelReader<Envelope<Tick>>[] readers = [.. Enumerable.Range(0, subscribers).Select(_ => bus.Subscribe<Tick>("market:ticks").Reader)];
        return new(
            "EventBus",
            () => Contender.Bursts(
                bursts, Depth, Burst, () => Array.ForEach(readers, r => ReadBack(() => r.TryRead(out Envelope<Tick> envelope) ? envelope.Event.Number : -1))),
            bus.Dispose);

        void Burst()
        {
            for (int i = 0; i < Depth; i++)
                bus.Publish("market:ticks", new Tick(i, 1, 2, 3));
        }
    }

    private static void ReadBack(Func<long> read)
    {
        for (int i = 0; i < Depth; i++)
        {
            if (read() != i)
                throw new LostEventException($"Event {i}");
        }
    }

    private static Channel<Tick> Bounded() => Channel.CreateBounded<Tick>(new BoundedChannelOptions(1024) { SingleReader = true });
}
