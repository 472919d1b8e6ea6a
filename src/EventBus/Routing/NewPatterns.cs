namespace EventBus.Routing;

/// <summary>
/// The patterns that were listened to last for the first time, numbered: a route remembers the number it was compared with, so that a
/// publish compares its topic with only those that are newer.
/// </summary>
/// <remarks>
/// Added to under the registry's lock, read without one: a reader looks at the number again after it has read, and a pattern that may have
/// been overwritten meanwhile counts as one that matches. It holds no channel.
/// </remarks>
internal sealed class NewPatterns
{
    /// <summary>To compare with more costs as much as to build the route again.</summary>
    public const int Kept = 32;

    private readonly TopicPattern?[] _ring = new TopicPattern[Kept];
    private long _last;

    /// <summary>The number of the last pattern.</summary>
    public long Last => Volatile.Read(ref _last);

    /// <summary>Adds a pattern that nobody listened to before; under the registry's lock.</summary>
    public void Add(TopicPattern pattern)
    {
        long number = _last + 1;
        Volatile.Write(ref _ring[number % Kept], pattern);
        Volatile.Write(ref _last, number);
    }

    /// <summary>Whether one of the patterns after a number, up to another, may match a topic.</summary>
    public bool MayMatch(string topic, long after, long upTo)
    {
        // The slot of the number after the last may be being overwritten already, so one less than there are slots can be relied on.
        if (upTo - after >= Kept)
            return true;
        for (long number = after + 1; number <= upTo; number++)
        {
            if (Volatile.Read(ref _ring[number % Kept])!.Matches(topic))
                return true;
        }

        return Last - after >= Kept;
    }
}
