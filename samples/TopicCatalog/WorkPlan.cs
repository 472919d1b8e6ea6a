using System.Text.Json;
using System.Text.Json.Serialization;

namespace Samples.Bursts;

/// <summary>The items that are to be done, and which of them can be begun. Safe to use from any number of threads.</summary>
internal sealed class WorkPlan
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter() },
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    private readonly Lock _gate = new();
    private readonly Dictionary<string, WorkItem> _items = new(StringComparer.Ordinal);
    private readonly HashSet<string> _begun = new(StringComparer.Ordinal);
    private readonly HashSet<string> _succeeded = new(StringComparer.Ordinal);

    public WorkPlan(IEnumerable<WorkItem> items)
    {
        foreach (WorkItem item in items)
        {
            if (!_items.TryAdd(item.Id, item))
                throw new InvalidDataException($"There are two work items \"{item.Id}\".");
        }

        Dictionary<string, int> depths = new(StringComparer.Ordinal);
        WaveCount = _items.Values.Select(item => DepthOf(item, depths)).DefaultIfEmpty().Max();
    }

    /// <summary>How many waves it takes if everything succeeds: the length of the longest chain of dependencies.</summary>
    public int WaveCount { get; }

    public static WorkPlan Load(string file)
    {
        try
        {
            using FileStream stream = File.OpenRead(file);
            return new WorkPlan(JsonSerializer.Deserialize<WorkItem[]>(stream, Format) ?? []);
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{file} does not hold work items: {exception.Message}", exception);
        }
    }

    public WorkItem this[string id]
    {
        get
        {
            lock (_gate)
                return _items[id];
        }
    }

    /// <summary>Adds an item that corrects something; it is done in the next wave. One that is there already stays as it is.</summary>
    public void AddCorrection(string id, string output)
    {
        lock (_gate)
            _items.TryAdd(id, new WorkItem(id, [], output, WorkSeconds: 5));
    }

    /// <summary>Takes all items whose dependencies have succeeded: a wave.</summary>
    public IReadOnlyList<WorkItem> TakeReady()
    {
        lock (_gate)
        {
            WorkItem[] ready = [.. _items.Values.Where(i => !_begun.Contains(i.Id) && i.DependsOn.All(_succeeded.Contains))];
            _begun.UnionWith(ready.Select(i => i.Id));
            return ready;
        }
    }

    public void Succeeded(string id)
    {
        lock (_gate)
            _succeeded.Add(id);
    }

    /// <summary>The items that wait for one.</summary>
    public IReadOnlyList<string> DependentsOf(string id)
    {
        lock (_gate)
            return [.. _items.Values.Where(i => i.DependsOn.Contains(id)).Select(i => i.Id)];
    }

    private int DepthOf(WorkItem item, Dictionary<string, int> depths)
    {
        const int Entered = 0;
        if (depths.TryGetValue(item.Id, out int known))
            return known != Entered ? known : throw new InvalidDataException($"The work item \"{item.Id}\" depends on itself.");
        depths.Add(item.Id, Entered);
        int deepest = 0;
        foreach (string dependency in item.DependsOn)
        {
            if (!_items.TryGetValue(dependency, out WorkItem? before))
                throw new InvalidDataException($"The work item \"{item.Id}\" depends on \"{dependency}\", which there is not.");
            deepest = Math.Max(deepest, DepthOf(before, depths));
        }

        return depths[item.Id] = deepest + 1;
    }
}
