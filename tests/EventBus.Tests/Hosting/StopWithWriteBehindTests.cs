using EventBus.Tests.Handling;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Tests.Hosting;

/// <summary>Handlers and write-behind stop together: neither loses what the other could still take, and neither waits for what cannot be.</summary>
public sealed class StopWithWriteBehindTests
{
    private static readonly TimeSpan StoresTime = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task StoreIsDown_BatchIsHandedOverAtOnce_AndIdleHandlersDoNotWaitOutTheirTime()
    {
        TaskCompletionSource<string[]> batch = new();
        await using HandlerHost host = await StartAsync(b => b
            .AddHandler<string>("idle", (_, _, _) => default, o => o.DrainTimeout = TimeSpan.FromHours(1))
            .AddBatchHandler<string, ProbingBatchHandler>(
                "topic", o => (o.MaxBatchDelay, o.DrainTimeout) = (TimeSpan.FromHours(1), TimeSpan.FromHours(1))));
        Seen seen = host.Services.GetRequiredService<Seen>();
        seen.OnEvent = (events, _) =>
        {
            batch.SetResult(events.Split(','));
            return default;
        };
        Store store = host.Services.GetRequiredService<Store>();
        store.FailFirst(int.MaxValue);
        host.Bus.Publish("topic", "a");
        host.Bus.Publish("topic", "b");
        await host.Clock.WhenTimersAsync();
        host.Services.GetRequiredService<WriteBehindPublisher<string>>().Publish("stored", "c").Should().BeTrue();

        Task stopping = host.StopAsync();
        (await batch.Task.Soon()).Should().Equal("a", "b"); // the clock stands still
        await store.NextCallAsync();
        stopping.IsCompleted.Should().BeFalse("the store has its time");
        host.Clock.Advance(StoresTime);
        await stopping.Soon();

        seen.Batches.Should().ContainSingle();
        host.UnhandledLog.Should().BeEmpty();
    }

    [Fact]
    public async Task StoreIsDown_HandlerThatStillRuns_IsWaitedForAfterTheFlush()
    {
        TaskCompletionSource running = new(), go = new();
        await using HandlerHost host = await StartAsync(b => b.AddHandler<string>("topic", async (_, _, _) =>
        {
            running.SetResult();
            await go.Task;
        }));
        Store store = host.Services.GetRequiredService<Store>();
        store.FailFirst(int.MaxValue);
        host.Services.GetRequiredService<WriteBehindPublisher<string>>().Publish("stored", "c").Should().BeTrue();
        host.Bus.Publish("topic", "a");
        await running.Task.Soon();

        Task stopping = host.StopAsync();
        await store.NextCallAsync();
        host.Clock.Advance(StoresTime);
        await host.Clock.WhenTimersAsync();
        stopping.IsCompleted.Should().BeFalse("the handler has its time as well");
        go.SetResult();
        await stopping.Soon();

        host.UnhandledLog.Should().BeEmpty();
    }

    [Fact]
    public async Task DrainingHandler_PublishesIntoWriteBehind_ItIsStoredBroadcastAndHandled()
    {
        TaskCompletionSource running = new(), go = new();
        await using HandlerHost host = await StartAsync(
            b => b
                .AddHandler<string>("topic", async (services, e, _) =>
                {
                    running.SetResult();
                    await go.Task;
                    services.GetRequiredService<WriteBehindPublisher<string>>().Publish("stored", $"{e.Event} stored").Should().BeTrue();
                })
                .AddHandler<string, ProbingHandler>("stored"),
            o => o.FlushInterval = TimeSpan.FromMinutes(1));
        host.Bus.Publish("topic", "a");
        await running.Task.Soon();

        Task stopping = host.StopAsync();
        go.SetResult();
        await stopping.Soon(); // the clock stands still

        host.Services.GetRequiredService<Store>().Events.Should().Equal("a stored");
        host.Services.GetRequiredService<Seen>().Events.Should().Equal("a stored");
        host.UnhandledLog.Should().BeEmpty();
    }

    [Fact]
    public async Task WhatIsBroadcastWhileFlushing_IsHandled()
    {
        await using HandlerHost host = await StartAsync(
            b => b.AddHandler<string, ProbingHandler>("stored"), o => o.FlushInterval = TimeSpan.FromMinutes(1));
        TaskCompletionSource gate = host.Services.GetRequiredService<Store>().HoldUp();
        host.Services.GetRequiredService<WriteBehindPublisher<string>>().Publish("stored", "a").Should().BeTrue();

        Task stopping = host.StopAsync();
        await host.Services.GetRequiredService<Store>().NextCallAsync();
        gate.SetResult();
        await stopping.Soon();

        host.Services.GetRequiredService<Seen>().Events.Should().Equal("a");
        host.UnhandledLog.Should().BeEmpty();
    }

    private static Task<HandlerHost> StartAsync(Action<EventBusBuilder> configure, Action<WriteBehindOptions>? writeBehind = null) =>
        HandlerHost.StartAsync(builder =>
        {
            builder.Services.AddSingleton<Seen>().AddScoped<ScopeProbe>();
            builder.AddWriteBehind<string, Store>(options =>
            {
                options.DrainTimeout = StoresTime;
                options.RetryDelay = TimeSpan.FromHours(1);
                writeBehind?.Invoke(options);
            });
            configure(builder);
        });

    private sealed class Store : IEventStore<string>
    {
        private readonly RecordingStore<string> _store = new();

        public IEnumerable<string> Events => _store.Events;

        public void FailFirst(int calls) => _store.FailFirst(calls);

        public TaskCompletionSource HoldUp() => _store.HoldUp();

        public Task<CancellationToken> NextCallAsync() => _store.NextCallAsync();

        public ValueTask AppendAsync(IReadOnlyList<BufferedEvent<string>> batch, CancellationToken cancellationToken) =>
            _store.AppendAsync(batch, cancellationToken);
    }
}
