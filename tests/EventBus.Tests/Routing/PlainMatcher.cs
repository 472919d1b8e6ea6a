namespace EventBus.Tests.Routing;

/// <summary>What a pattern matches, said in the plainest way: a recursion. Exponential, so only for short ones.</summary>
internal static class PlainMatcher
{
    public static bool Matches(string pattern, string topic)
    {
        string[] wanted = pattern.Split(':');
        return !(topic.StartsWith('$') && wanted[0] is ("*" or "#")) && Matches(wanted, topic.Split(':'));
    }

    private static bool Matches(ReadOnlySpan<string> wanted, ReadOnlySpan<string> topic)
    {
        if (wanted.IsEmpty)
            return topic.IsEmpty;
        if (wanted[0] == "#")
            return Matches(wanted[1..], topic) || (!topic.IsEmpty && Matches(wanted, topic[1..]));
        return !topic.IsEmpty && (wanted[0] == "*" || wanted[0] == topic[0]) && Matches(wanted[1..], topic[1..]);
    }
}
