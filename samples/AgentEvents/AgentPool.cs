using System.Threading.Channels;
using Microsoft.Extensions.Hosting;

namespace Samples.Agents;

/// <summary>Runs the agents over the folder; when they are through, the program ends.</summary>
internal sealed class AgentPool(WorkFolder folder, AgentEvents events, IHostApplicationLifetime lifetime) : BackgroundService
{
    private static readonly int AgentCount = Math.Clamp(Environment.ProcessorCount, 2, 8);

    /// <summary>Whether the agents got through all files; to be read after the host has stopped.</summary>
    public bool IsFinished { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            // The scan is only a few files ahead of the agents, however many there are.
            Channel<string> files = Channel.CreateBounded<string>(AgentCount * 4);
            Agent[] agents =
                [.. Enumerable.Range(1, AgentCount).Select(i => new Agent($"Worker-{i}", folder.Path, files.Reader, events))];
            foreach (Agent agent in agents)
                await agent.StartAsync();
            await Task.WhenAll([.. agents.Select(a => Task.Run(() => a.RunAsync(stoppingToken))), HandOutAsync(files.Writer, stoppingToken)]);
            IsFinished = !stoppingToken.IsCancellationRequested;
        }
        finally
        {
            lifetime.StopApplication();
        }
    }

    private async Task HandOutAsync(ChannelWriter<string> files, CancellationToken stopping)
    {
        try
        {
            foreach (string file in FolderScan.FilesBelow(folder.Path))
                await files.WriteAsync(file, stopping);
        }
        catch (OperationCanceledException)
        {
            // The agents stop by the same token.
        }
        finally
        {
            files.Complete();
        }
    }
}

/// <summary>The folder to look through.</summary>
internal sealed record WorkFolder(string Path);
