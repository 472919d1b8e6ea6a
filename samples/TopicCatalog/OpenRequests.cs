using System.Collections.Concurrent;

namespace Samples.Bursts;

/// <summary>What agents wait for the human to reply to, for two minutes each.</summary>
internal sealed class OpenRequests<TReply>(TimeProvider clock)
    where TReply : struct
{
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly ConcurrentDictionary<string, TaskCompletionSource<TReply>> _open = new();

    /// <summary>Announces a request once it can be replied to, and waits.</summary>
    /// <returns>The reply; null if there was none in time.</returns>
    public async Task<TReply?> WaitAsync(string id, Action announce)
    {
        TaskCompletionSource<TReply> reply = new();
        _open.TryAdd(id, reply);
        announce();
        try
        {
            return await reply.Task.WaitAsync(Patience, clock);
        }
        catch (TimeoutException)
        {
            // Whoever takes it out decides: a reply that came at the last moment counts.
            return _open.TryRemove(id, out _) ? null : await reply.Task;
        }
    }

    /// <summary>Replies, unless it is too late.</summary>
    /// <param name="id">To which request.</param>
    /// <param name="reply">The reply.</param>
    /// <param name="announce">Tells of it before the agent goes on.</param>
    /// <returns>False if nobody waits any more.</returns>
    public bool TryReply(string id, TReply reply, Action announce)
    {
        if (!_open.TryRemove(id, out TaskCompletionSource<TReply>? waiting))
            return false;
        announce();
        waiting.SetResult(reply);
        return true;
    }
}
