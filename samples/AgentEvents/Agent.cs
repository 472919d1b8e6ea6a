using System.Threading.Channels;

namespace Samples.Agents;

/// <summary>A worker: takes one file after the other, and tells what became of it.</summary>
internal sealed class Agent(string name, string folder, ChannelReader<string> files, AgentEvents events)
{
    private readonly FileReader _reader = new();

    /// <summary>Announces the agent; to be called once, before <see cref="RunAsync"/>.</summary>
    public ValueTask StartAsync() => events.Started(name);

    /// <summary>Works until there are no more files, or until it is to stop.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            while (await NextAsync(stopping) is { } file)
                await WorkAsync(file, stopping);
        }
        finally
        {
            await events.Stopped(name);
        }
    }

    private async ValueTask<string?> NextAsync(CancellationToken stopping)
    {
        try
        {
            return await files.ReadAsync(stopping);
        }
        catch (Exception exception) when (exception is ChannelClosedException or OperationCanceledException)
        {
            return null;
        }
    }

    private async Task WorkAsync(string file, CancellationToken stopping)
    {
        await events.TaskReceived(name, file);
        FileFacts facts;
        try
        {
            facts = await _reader.ReadAsync(folder, file, stopping);
        }
        catch (OperationCanceledException)
        {
            await events.TaskFailed(name, file, "The agent was stopped before it was through.");
            return;
        }
        catch (Exception exception)
        {
            // Whatever is wrong with one file, the agent goes on with the next.
            await events.TaskFailed(name, file, exception.Message);
            return;
        }

        await events.TaskCompleted(name, facts);
    }
}
