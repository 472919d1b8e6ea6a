using System.Diagnostics;
using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What one publish costs at light load, where every consumer has gone to sleep and must be woken.</summary>
internal static class PublishToParked
{
    public static readonly Question Question = new(
        "parked",
        "One publish when every consumer waits and the thread pool is idle: the publisher's time (\"publish\"), and until every consumer has " +
        "the event (\"received\").",
        Answer);

    private static IEnumerable<Table> Answer(Effort effort)
    {
        foreach (bool isRecord in new[] { false, true })
        {
            Table publishing = new(isRecord ? "publish, record" : "publish, struct", "", "median", "min – max", "allocated", "vs loop", "target");
            Table receiving = new(isRecord ? "received, record" : "received, struct", "", "median", "min – max", "allocated", "vs loop", "");
            foreach (int subscribers in new[] { 1, 8, 64, 1024, 10_000 })
            {
                int events = effort.Times(Math.Clamp(200_000 / subscribers, 10, 60));
                Contest loop = isRecord ? NoteLoop(subscribers, events) : Loop(subscribers, events);
                Contest bus = isRecord ? NoteBus(subscribers, events) : Bus(subscribers, events);
                publishing.AddRace(
                    $"{subscribers}", Race.Run(effort, loop.Contender("loop"), bus.Contender("EventBus")), target: subscribers == 64 ? 0.6 : 0);
                receiving.AddRace($"{subscribers}", [loop.Received("loop", effort.Rounds), bus.Received("EventBus", effort.Rounds)]);
            }

            yield return publishing;
            yield return receiving;
        }
    }

    private static Contest Loop(int subscribers, int events)
    {
        Channel<Tick>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded<Tick>())];
        ChannelWriter<Tick>[] writers = [.. channels.Select(c => c.Writer)];
        return new Contest(
            subscribers,
            events,
            (i, counter) => ReadAsync(channels[i].Reader, counter, t => t.Number),
            number =>
            {
                Tick tick = new(number, 1, 2, 3);
                foreach (ChannelWriter<Tick> writer in writers)
                    writer.TryWrite(tick);
            },
            () => Array.ForEach(writers, w => w.Complete()));
    }

    private static Contest Bus(int subscribers, int events)
    {
        InProcessEventBus bus = new();
        return new Contest(
            subscribers,
            events,
            (_, counter) => ReadAsync(bus.Subscribe<Tick>("market:ticks").Reader, counter, e => e.Event.Number),
            number => bus.Publish("market:ticks", new Tick(number, 1, 2, 3)),
            bus.Dispose);
    }

    private static Contest NoteLoop(int subscribers, int events)
    {
        Channel<Note>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded<Note>())];
        ChannelWriter<Note>[] writers = [.. channels.Select(c => c.Writer)];
        return new Contest(
            subscribers,
            events,
            (i, counter) => ReadAsync(channels[i].Reader, counter, n => n.Number),
            number =>
            {
                foreach (ChannelWriter<Note> writer in writers)
                    writer.TryWrite(Note.All[number]);
            },
            () => Array.ForEach(writers, w => w.Complete()));
    }

    private static Contest NoteBus(int subscribers, int events)
    {
        InProcessEventBus bus = new();
        return new Contest(
            subscribers,
            events,
            (_, counter) => ReadAsync(bus.Subscribe<Note>("desk:notes").Reader, counter, e => e.Event.Number),
            number => bus.Publish("desk:notes", Note.All[number]),
            bus.Dispose);
    }

    private static Channel<T> Bounded<T>() => Channel.CreateBounded<T>(new BoundedChannelOptions(1024) { SingleReader = true });

    private static async Task ReadAsync<T>(ChannelReader<T> reader, Window.Counter counter, Func<T, long> number)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out T? item))
                counter.Add(number(item));
        }
    }

    /// <summary>Publishes one event at a time, each when all consumers sleep again.</summary>
    private sealed class Contest : IDisposable
    {
        private readonly int _events;
        private readonly Action<int> _publish;
        private readonly Action _end;
        private readonly Window _window;
        private readonly Task[] _consumers;
        private readonly List<Reading> _received = [];
        private long _published;
        private long _sum;

        public Contest(int subscribers, int events, Func<int, Window.Counter, Task> consume, Action<int> publish, Action end)
        {
            _events = events;
            _publish = publish;
            _end = end;
            _window = new Window(subscribers, step: 1, steps: 1);
            _consumers = [.. _window.Counters.Select((counter, i) => consume(i, counter))];
        }

        public Contender Contender(string name) => new(name, Round, Dispose);

        public Series Received(string name, int rounds) => Series.Of(name, [.. _received.TakeLast(rounds)]);

        private Reading Round()
        {
            long published = 0, received = 0;
            long bytes = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < _events; i++)
            {
                // Long enough for consumers to wait and for the pool's threads to stop looking for work.
                Thread.Sleep(1);
                int number = i & 1023;
                _sum += number;
                _window.Take();
                long start = Stopwatch.GetTimestamp();
                _publish(number);
                published += Stopwatch.GetTimestamp() - start;
                _window.AwaitAll(++_published, _sum);
                received += Stopwatch.GetTimestamp() - start;
            }

            bytes = GC.GetTotalAllocatedBytes(precise: true) - bytes;
            _received.Add(new Reading(_events, received, bytes));
            return new Reading(_events, published, bytes);
        }

        public void Dispose()
        {
            _end();
            Task.WaitAll(_consumers);
            _window.Dispose();
        }
    }
}
