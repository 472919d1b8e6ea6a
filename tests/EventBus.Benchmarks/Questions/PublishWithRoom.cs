using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What one publish costs when every channel has room and nobody reads meanwhile: the writing alone.</summary>
internal static class PublishWithRoom
{
    public static readonly Question Question = new(
        "room",
        "One publish, room in every channel (capacity 1,024), nobody waiting. Bursts are read back between the timings and checked.",
        Answer);

    private static IEnumerable<Table> Answer(Effort effort)
    {
        foreach (bool isRecord in new[] { false, true })
        {
            Table table = new(isRecord ? "subscribers, record" : "subscribers, struct", "", "median", "min – max", "allocated", "vs loop", "target");
            foreach ((int subscribers, double target) in new[] { (0, 0), (1, 1.5), (8, 0.25), (64, 0.04), (1024, 0.005), (10_000, 0.001) })
            {
                (int length, int bursts) = Amount(subscribers, effort);
                table.AddRace(
                    $"{subscribers}",
                    isRecord
                        ? Race.Run(effort, NoteLoop(subscribers, bursts, length), NoteBus(subscribers, bursts, length))
                        : Race.Run(effort, Loop(subscribers, bursts, length), Bus(subscribers, bursts, length)),
                    target);
            }

            yield return table;
        }
    }

    /// <summary>
    /// The same for all contenders. Where everyone has a channel, each holds the whole burst and never gives that memory back:
    /// with 512 events for each of a thousand the loop falls out of the processor's cache and takes up to twice as long, now and
    /// then. So the more subscribers, the shorter the burst; ten thousand hold some ten megabytes.
    /// </summary>
    public static (int Length, int Bursts) Amount(int subscribers, Effort effort)
    {
        int length = Math.Clamp(200_000 / Math.Max(subscribers, 1), 32, 512);
        return (length, effort.Times(Math.Clamp(2_000_000 / (length * (subscribers + 4)), 3, 400)));
    }

    public static Contender Loop(int subscribers, int bursts, int length)
    {
        Channel<Tick>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded<Tick>())];
        ChannelWriter<Tick>[] writers = [.. channels.Select(c => c.Writer)];
        return new("loop", () => Contender.Bursts(bursts, length, Burst, ReadBack));

        void Burst()
        {
            ChannelWriter<Tick>[] all = writers;
            for (int i = 0; i < length; i++)
            {
                Tick tick = new(i, 1, 2, 3);
                foreach (ChannelWriter<Tick> writer in all)
                    writer.TryWrite(tick);
            }
        }

        void ReadBack()
        {
            foreach (Channel<Tick> channel in channels)
            {
                for (int i = 0; i < length; i++)
                {
                    if (!channel.Reader.TryRead(out Tick tick) || tick.Number != i)
                        throw new LostEventException("loop");
                }
            }
        }
    }

    public static Contender Bus(int subscribers, int bursts, int length)
    {
        InProcessEventBus bus = new();
        ChannelReader<Envelope<Tick>>[] readers = [.. Enumerable.Range(0, subscribers).Select(_ => bus.Subscribe<Tick>("market:ticks").Reader)];
        return new("EventBus", () => Contender.Bursts(bursts, length, Burst, ReadBack), bus.Dispose);

        void Burst()
        {
            InProcessEventBus publisher = bus;
            for (int i = 0; i < length; i++)
                publisher.Publish("market:ticks", new Tick(i, 1, 2, 3));
        }

        void ReadBack()
        {
            foreach (ChannelReader<Envelope<Tick>> reader in readers)
            {
                for (int i = 0; i < length; i++)
                {
                    if (!reader.TryRead(out Envelope<Tick> envelope) || envelope.Event.Number != i || envelope.Missed != 0)
                        throw new LostEventException("EventBus");
                }
            }
        }
    }

    private static Contender NoteLoop(int subscribers, int bursts, int length)
    {
        Channel<Note>[] channels = [.. Enumerable.Range(0, subscribers).Select(_ => Bounded<Note>())];
        ChannelWriter<Note>[] writers = [.. channels.Select(c => c.Writer)];
        return new("loop", () => Contender.Bursts(bursts, length, Burst, ReadBack));

        void Burst()
        {
            ChannelWriter<Note>[] all = writers;
            Note[] notes = Note.All;
            for (int i = 0; i < length; i++)
            {
                Note note = notes[i];
                foreach (ChannelWriter<Note> writer in all)
                    writer.TryWrite(note);
            }
        }

        void ReadBack()
        {
            foreach (Channel<Note> channel in channels)
            {
                for (int i = 0; i < length; i++)
                {
                    if (!channel.Reader.TryRead(out Note? note) || note.Number != i)
                        throw new LostEventException("loop");
                }
            }
        }
    }

    private static Contender NoteBus(int subscribers, int bursts, int length)
    {
        InProcessEventBus bus = new();
        ChannelReader<Envelope<Note>>[] readers = [.. Enumerable.Range(0, subscribers).Select(_ => bus.Subscribe<Note>("desk:notes").Reader)];
        return new("EventBus", () => Contender.Bursts(bursts, length, Burst, ReadBack), bus.Dispose);

        void Burst()
        {
            InProcessEventBus publisher = bus;
            Note[] notes = Note.All;
            for (int i = 0; i < length; i++)
                publisher.Publish("desk:notes", notes[i]);
        }

        void ReadBack()
        {
            foreach (ChannelReader<Envelope<Note>> reader in readers)
            {
                for (int i = 0; i < length; i++)
                {
                    if (!reader.TryRead(out Envelope<Note> envelope) || envelope.Event.Number != i || envelope.Missed != 0)
                        throw new LostEventException("EventBus");
                }
            }
        }
    }

    private static Channel<T> Bounded<T>() => Channel.CreateBounded<T>(new BoundedChannelOptions(1024) { SingleReader = true });
}
