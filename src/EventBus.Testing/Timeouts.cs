namespace EventBus.Testing;

/// <summary>How long the waits of this package wait.</summary>
internal static class Timeouts
{
    /// <summary>
    /// Long enough that a loaded build machine never reaches it, as it is only there to turn a hang into a message.
    /// </summary>
    public static readonly TimeSpan Default = TimeSpan.FromSeconds(30);
}
