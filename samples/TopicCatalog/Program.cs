using EventBus;
using EventBus.Testing;
using Samples.Bursts;

string file = args is [var given, ..] ? given : Path.Combine(AppContext.BaseDirectory, "work-items.json");
WorkPlan plan;
try
{
    plan = WorkPlan.Load(file);
}
catch (Exception exception) when (exception is InvalidDataException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(exception.Message);
    return 2;
}

FakeTimeProvider clock = new();
await using InProcessEventBus bus = new(timeProvider: clock);
Catalogue catalogue = new(bus);
using EventRecorder<ReflectionEvent.Completed> summaries = bus.Record(Topics.ReflectionCompleted);

await new Simulation("burst-1", bus, clock, plan).RunAsync();

catalogue.Print(Console.Out);
Console.WriteLine($"{catalogue.Counts.Values.Sum()} events in {clock.GetUtcNow() - clock.Start} of the burst's own time.");
Console.WriteLine(summaries.Events[0].Summary);
return 0;
