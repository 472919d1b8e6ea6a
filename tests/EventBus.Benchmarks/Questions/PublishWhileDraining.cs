using System.Diagnostics;
using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What one publish costs when consumers read meanwhile: writers and readers contend for the same channels.</summary>
internal static class PublishWhileDraining
{
    public static readonly Question Question = new(
        "draining",
        "One publish while each subscriber's own task reads (WaitToReadAsync, TryRead); bursts of 512, so nothing is ever full. Only the " +
        "publisher's time counts.",
        Answer);

    private const int Length = 512;

    private static IEnumerable<Table> Answer(Effort effort)
    {
        foreach (bool isRecord in new[] { false, true })
        {
            Table table = new(isRecord ? "subscribers, record" : "subscribers, struct", "", "median", "min – max", "allocated", "vs loop", "");
            foreach (int subscribers in new[] { 1, 8, 64, 1024, 10_000 })
            {
                int bursts = effort.Times(Math.Clamp(1_000_000 / (Length * subscribers), 2, 200));
                table.AddRace(
                    $"{subscribers}",
                    isRecord
                        ? Race.Run(effort, NoteLoop(subscribers, bursts), NoteBus(subscribers, bursts))
                        : Race.Run(effort, Loop(subscribers, bursts), Delegates(subscribers, bursts), Bus(subscribers, bursts)));
            }

            yield return table;
        }
    }

    private static Contender Loop(int subscribers, int bursts)
    {
        Channel<Tick>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded<Tick>())];
        ChannelWriter<Tick>[] writers = [.. channels.Select(c => c.Writer)];
        return Contend(
            "loop",
            subscribers,
            bursts,
            (i, counter) => ReadAsync(channels[i].Reader, counter),
            () =>
            {
                for (int i = 0; i < Length; i++)
                {
                    Tick tick = new(i, 1, 2, 3);
                    foreach (ChannelWriter<Tick> writer in writers)
                        writer.TryWrite(tick);
                }
            },
            () => Array.ForEach(writers, w => w.Complete()));
    }

    /// <summary>What dispatchers like MessagePipe do when their handlers only queue: a delegate for each subscriber.</summary>
    private static Contender Delegates(int subscribers, int bursts)
    {
        Channel<Tick>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded<Tick>())];
        Action<Tick>[] handlers = [.. channels.Select(c => c.Writer).Select(w => new Action<Tick>(tick => w.TryWrite(tick)))];
        return Contend(
            "delegates into channels",
            subscribers,
            bursts,
            (i, counter) => ReadAsync(channels[i].Reader, counter),
            () =>
            {
                for (int i = 0; i < Length; i++)
                {
                    Tick tick = new(i, 1, 2, 3);
                    foreach (Action<Tick> handler in handlers)
                        handler(tick);
                }
            },
            () => Array.ForEach(channels, c => c.Writer.Complete()));
    }

    private static Contender Bus(int subscribers, int bursts)
    {
        InProcessEventBus bus = new();
        return Contend(
            "EventBus",
            subscribers,
            bursts,
            (_, counter) => ReadAsync(bus.Subscribe<Tick>("market:ticks").Reader, counter),
            () =>
            {
                for (int i = 0; i < Length; i++)
                    bus.Publish("market:ticks", new Tick(i, 1, 2, 3));
            },
            bus.Dispose);
    }

    private static Contender NoteLoop(int subscribers, int bursts)
    {
        Channel<Note>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded<Note>())];
        ChannelWriter<Note>[] writers = [.. channels.Select(c => c.Writer)];
        return Contend(
            "loop",
            subscribers,
            bursts,
            (i, counter) => ReadAsync(channels[i].Reader, counter),
            () =>
            {
                for (int i = 0; i < Length; i++)
                {
                    Note note = Note.All[i];
                    foreach (ChannelWriter<Note> writer in writers)
                        writer.TryWrite(note);
                }
            },
            () => Array.ForEach(writers, w => w.Complete()));
    }

    private static Contender NoteBus(int subscribers, int bursts)
    {
        InProcessEventBus bus = new();
        return Contend(
            "EventBus",
            subscribers,
            bursts,
            (_, counter) => ReadAsync(bus.Subscribe<Note>("desk:notes").Reader, counter),
            () =>
            {
                for (int i = 0; i < Length; i++)
                    bus.Publish("desk:notes", Note.All[i]);
            },
            bus.Dispose);
    }

    /// <summary>A contender whose burst publishes the numbers from 0 up to <see cref="Length"/>.</summary>
    private static Contender Contend(
        string name, int subscribers, int bursts, Func<int, Window.Counter, Task> consume, Action burst, Action end)
    {
        Window window = new(subscribers, step: Length, steps: 1);
        Task[] consumers = [.. window.Counters.Select((counter, i) => consume(i, counter))];
        long published = 0;
        return new(
            name,
            () =>
            {
                long ticks = 0;
                long bytes = GC.GetTotalAllocatedBytes(precise: true);
                for (int i = 0; i < bursts; i++)
                {
                    window.Take();
                    long start = Stopwatch.GetTimestamp();
                    burst();
                    ticks += Stopwatch.GetTimestamp() - start;
                    published += Length;
                    window.AwaitAll(published, published / Length * (Length * (Length - 1L) / 2));
                }

                return new Reading((long)bursts * Length, ticks, GC.GetTotalAllocatedBytes(precise: true) - bytes);
            },
            () =>
            {
                end();
                Task.WaitAll(consumers);
                window.Dispose();
            });
    }

    private static Channel<T> Bounded<T>() => Channel.CreateBounded<T>(new BoundedChannelOptions(1024) { SingleReader = true });

    private static async Task ReadAsync(ChannelReader<Tick> reader, Window.Counter counter)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out Tick tick))
                counter.Add(tick.Number);
        }
    }

    private static async Task ReadAsync(ChannelReader<Envelope<Tick>> reader, Window.Counter counter)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out Envelope<Tick> envelope))
                counter.Add(envelope.Event.Number);
        }
    }

    private static async Task ReadAsync(ChannelReader<Note> reader, Window.Counter counter)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out Note? note))
                counter.Add(note.Number);
        }
    }

    private static async Task ReadAsync(ChannelReader<Envelope<Note>> reader, Window.Counter counter)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out Envelope<Note> envelope))
                counter.Add(envelope.Event.Number);
        }
    }
}
