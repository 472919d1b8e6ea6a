using EventBus;
using Microsoft.Extensions.Hosting;

namespace Samples.Agents;

/// <summary>Tells that this node is up before any agent starts, and that it goes when all have stopped.</summary>
/// <remarks>
/// Registered first, so stopped last. What it publishes while stopping is still handled: the bus stops its handlers after all else.
/// </remarks>
internal sealed class ClusterNode(IEventBus bus, TimeProvider time) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken) =>
        await bus.PublishAsync(ClusterEvent.Topic, new ClusterEvent.NodeUp(bus.NodeName, time.GetUtcNow()), cancellationToken);

    public async Task StopAsync(CancellationToken cancellationToken) =>
        await bus.PublishAsync(ClusterEvent.Topic, new ClusterEvent.NodeDown(bus.NodeName, time.GetUtcNow()), cancellationToken);
}
