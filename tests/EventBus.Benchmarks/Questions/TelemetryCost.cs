using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Threading.Channels;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>What being watched costs.</summary>
internal static class TelemetryCost
{
    public static readonly Question Question = new(
        "telemetry",
        "One publish to 8 subscribers and the reading of its 8 deliveries: nobody listening, a listener to the metrics, and one to the spans, too. " +
        "The listeners only count.",
        Answer);

    private const int Length = 512;
    private const int Subscribers = 8;

    private static IEnumerable<Table> Answer(Effort effort)
    {
        int bursts = effort.Times(40);
        Table table = new("to", "watched by", "median", "min – max", "allocated", "vs nobody", "");
        table.AddRace("8 subscribers", Race.Run(effort, Watched("nobody", bursts), Watched("metrics", bursts), Watched("metrics and spans", bursts)));
        yield return table;
    }

    private static Contender Watched(string name, int bursts)
    {
        InProcessEventBus bus = new();
        ChannelReader<Envelope<Tick>>[] readers = [.. Enumerable.Range(0, Subscribers).Select(_ => bus.Subscribe<Tick>("market:ticks").Reader)];
        return new(
            name,
            () =>
            {
                using MeterListener? meters = name == "nobody" ? null : Listen();
                using ActivityListener? spans = name == "metrics and spans" ? Trace() : null;
                return Contender.Bursts(bursts, Length, Burst, () => { });
            },
            bus.Dispose);

        void Burst()
        {
            for (int i = 0; i < Length; i++)
                bus.Publish("market:ticks", new Tick(i, 1, 2, 3));
            foreach (ChannelReader<Envelope<Tick>> reader in readers)
            {
                for (int i = 0; i < Length; i++)
                {
                    if (!reader.TryRead(out Envelope<Tick> envelope) || envelope.Event.Number != i)
                        throw new LostEventException(name);
                }
            }
        }
    }

    private static MeterListener Listen()
    {
        long sum = 0;
        double seconds = 0;
        MeterListener listener = new()
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter.Name == EventBusTelemetry.Name)
                    l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => sum += value);
        listener.SetMeasurementEventCallback<double>((_, value, _, _) => seconds += value);
        listener.Start();
        return listener;
    }

    private static ActivityListener Trace()
    {
        ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == EventBusTelemetry.Name,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
