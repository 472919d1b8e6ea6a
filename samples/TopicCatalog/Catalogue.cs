using System.Collections.Concurrent;
using EventBus;

namespace Samples.Bursts;

/// <summary>Counts what comes by: one subscriber for each family of topics.</summary>
internal sealed class Catalogue
{
    /// <summary>The families, each by the pattern that hears it; together they hear every topic once.</summary>
    public static readonly string[] Families =
        ["agent:*", "agent:mail:*", "tether:reaching", "tether:drifts", "tether:questions", "burst:events", "reflection:*"];

    private readonly ConcurrentDictionary<(string Family, string Tag), int> _counts = new();

    public Catalogue(IEventBus bus)
    {
        foreach (string family in Families)
            bus.Handle<ITagged>(family, (envelope, _) => Count(family, envelope.Event), new() { Name = family });
    }

    /// <summary>What came by, by family and tag.</summary>
    public IReadOnlyDictionary<(string Family, string Tag), int> Counts => _counts;

    public void Print(TextWriter output)
    {
        output.WriteLine($"{"topic",-18}{"tag",-30}{"events",6}");
        foreach (string family in Families)
        {
            foreach (((_, string tag), int count) in _counts.Where(c => c.Key.Family == family).OrderBy(c => c.Key.Tag, StringComparer.Ordinal))
                output.WriteLine($"{family,-18}{tag,-30}{count,6}");
        }
    }

    private ValueTask Count(string family, ITagged @event)
    {
        _counts.AddOrUpdate((family, @event.Tag), 1, (_, count) => count + 1);
        return default;
    }
}
