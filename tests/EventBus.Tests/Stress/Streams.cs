namespace EventBus.Tests.Stress;

/// <summary>The events of one publisher, topic and kind are a stream: numbered from 0, published one after the other.</summary>
internal interface IStreamed
{
    int Stream { get; }

    int Number { get; }

    /// <summary>Follows from the others, so that an event put together from two shows.</summary>
    long Check { get; }
}

/// <summary>An event of value type, too large to be copied at once.</summary>
internal readonly record struct StreamedValue(int Stream, int Number, long Check, object? Tag) : IStreamed;

/// <summary>An event of reference type.</summary>
internal sealed record StreamedObject(int Stream, int Number, long Check) : IStreamed;

/// <summary>How far each stream has come. A publish began when its number was taken, and is over when it returned.</summary>
internal sealed class Streams(int publishers)
{
    public const int Kinds = 2;
    public static readonly string[] Topics = ["s:1", "s:2", "h:1", "e:1"];
    private readonly int[] _begun = new int[publishers * Topics.Length * Kinds];
    private readonly int[] _over = new int[publishers * Topics.Length * Kinds];

    public int Count => _begun.Length;

    /// <summary>Only the publisher of a stream writes to it.</summary>
    public int Begin(int stream) => Interlocked.Increment(ref _begun[stream]) - 1;

    public void End(int stream, int number) => Volatile.Write(ref _over[stream], number + 1);

    public int[] Begun() => Copy(_begun);

    public int[] Over() => Copy(_over);

    public static int IndexOf(int publisher, int topic, int kind) => (((publisher * Topics.Length) + topic) * Kinds) + kind;

    public static string TopicOf(int stream) => Topics[stream / Kinds % Topics.Length];

    public static bool IsValue(int stream) => stream % Kinds == 0;

    public static bool KeepsHistory(string topic) => topic.StartsWith("h:", StringComparison.Ordinal);

    public static long CheckOf(int stream, int number) => (((long)stream << 32) | (uint)number) * 0x1E3779B97F4A7C15L;

    private static int[] Copy(int[] counters)
    {
        int[] copy = new int[counters.Length];
        for (int i = 0; i < copy.Length; i++)
            copy[i] = Volatile.Read(ref counters[i]);
        return copy;
    }
}
