namespace EventBus.Benchmarks.Measuring;

/// <summary>An event of 32 bytes, copied into every queue.</summary>
internal readonly record struct Tick(long Number, long Sent, long Price, long Volume);

/// <summary>An event as most users have it: a record, of which a queue holds a reference.</summary>
internal sealed record Note(long Number, string Text)
{
    /// <summary>Made beforehand, so that what is allocated in a round was allocated by the contender.</summary>
    public static readonly Note[] All = [.. Enumerable.Range(0, 1024).Select(i => new Note(i, "text"))];
}
