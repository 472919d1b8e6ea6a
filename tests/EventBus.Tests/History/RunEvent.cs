namespace EventBus.Tests.History;

/// <summary>A closed hierarchy, as users have them.</summary>
internal abstract record RunEvent(int Number)
{
    public sealed record Line(int Number) : RunEvent(Number);

    public sealed record Note(int Number) : RunEvent(Number);

    /// <summary>How far a run is: only the last one counts.</summary>
    public record Progress(int Number) : RunEvent(Number);

    public sealed record DetailedProgress(int Number) : Progress(Number);
}

/// <summary>What tests of history do all the time.</summary>
internal static class HistoryCalls
{
    /// <summary>Publishes numbers from one to another.</summary>
    public static void PublishNumbers(this InProcessEventBus bus, string topic, int from, int to)
    {
        for (int i = from; i <= to; i++)
            bus.Publish(topic, i);
    }

    public static int[] HistoryOf(this InProcessEventBus bus, string topic) => [.. bus.GetHistory<int>(topic).Select(e => e.Event)];

    public static long LastSequence(this InProcessEventBus bus, string topic) => bus.GetHistory<object>(topic)[^1].Sequence;

    public static Subscription<int> SubscribeWith(this InProcessEventBus bus, string pattern, Replay replay, int capacity = 1024) =>
        bus.Subscribe<int>(pattern, new SubscriptionOptions { Replay = replay, Capacity = capacity });

    public static int[] Numbers(int from, int to) => [.. Enumerable.Range(from, to - from + 1)];
}
