using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Hosting;

public sealed class HandlerStopTests
{
    [Fact]
    public async Task WhatOtherServicesPublishWhileStopping_IsHandled()
    {
        Seen seen = new();
        await using HandlerHost host = HandlerHost.CreateWith(services =>
        {
            services.AddSingleton(seen).AddScoped<ScopeProbe>();
            services.AddEventBus().AddHandler<string, ProbingHandler>("stage");
            services.AddHostedService<PublishesWhileStopping>();
        });
        await host.StartAsync();

        await host.StopAsync().Soon();

        seen.Events.Should().Equal("stopping", "stop", "stopped");
        host.UnhandledLog.Should().BeEmpty();
    }

    [Fact]
    public async Task AFullQueue_IsHandledToTheEnd()
    {
        TaskCompletionSource go = new();
        await using HandlerHost host = await StartAsync(b => b.AddHandler<string, ProbingHandler>("topic", o => o.Capacity = 100));
        Seen seen = host.Services.GetRequiredService<Seen>();
        seen.OnEvent = async (_, _) => await go.Task;
        for (int i = 0; i < 50; i++)
            host.Bus.Publish("topic", $"{i}").Dropped.Should().Be(0);

        Task stopping = host.StopAsync();
        go.SetResult();
        await stopping.Soon();

        seen.Events.Should().Equal(Enumerable.Range(0, 50).Select(i => $"{i}"));
        seen.ScopesEnded.Should().Be(50);
        host.UnhandledLog.Should().BeEmpty();
        host.Bus.GetStatistics().Discarded.Should().Be(0);
    }

    [Fact]
    public async Task WhatDrainingHandlersPublishToEachOther_IsHandled_AcrossBusesToo()
    {
        TaskCompletionSource go = new();
        Seen seen = new();
        await using HandlerHost host = HandlerHost.CreateWith(services =>
        {
            services.AddEventBus("audit").AddHandler<int>("count", (s, e, _) =>
            {
                // Ten times to and fro between the buses.
                seen.Events.Enqueue($"{e.Event}");
                if (e.Event < 10)
                    s.GetRequiredService<IEventBus>().Publish("count", e.Event + 1).Matched.Should().Be(1);
                return default;
            });
            services.AddEventBus().AddHandler<int>("count", async (s, e, _) =>
            {
                await go.Task;
                s.GetRequiredKeyedService<IEventBus>("audit").Publish("count", e.Event).Matched.Should().Be(1);
            });
        });
        await host.StartAsync();
        host.Bus.Publish("count", 1);

        Task stopping = host.StopAsync();
        go.SetResult();
        await stopping.Soon();

        seen.Events.Should().Equal(Enumerable.Range(1, 10).Select(i => $"{i}"));
    }

    [Fact]
    public async Task DrainTimeout_CancelsTheHandler_AndWhatIsLeftIsCountedAndLogged()
    {
        await using HandlerHost host = await StartAsync(b =>
        {
            b.AddHandler<string, ProbingHandler>("slow", o => o.DrainTimeout = TimeSpan.FromSeconds(5));
            b.AddHandler<string>("quick", (_, _, _) => default);
        });
        Seen seen = host.Services.GetRequiredService<Seen>();
        using Subscription<BusEvent> failures = host.Bus.Subscribe<BusEvent>("$bus:failures");
        TaskCompletionSource started = new();
        seen.OnEvent = (_, token) =>
        {
            started.TrySetResult();
            return new ValueTask(Task.Delay(Timeout.InfiniteTimeSpan, host.Clock, token));
        };
        foreach (string @event in (string[])["a", "b", "c"])
            host.Bus.Publish("slow", @event);
        host.Bus.Publish("quick", "d");

        await started.Task.Soon();
        Task stopping = host.StopAsync();
        await host.Clock.WhenTimersAsync(2); // the time-outs of both handlers
        host.Clock.Advance(TimeSpan.FromSeconds(5));
        await stopping.Soon();

        host.UnhandledLog.Should().ContainSingle().Which.Should()
            .Contain(nameof(ProbingHandler)).And.Contain("\"slow\"").And.Contain("3 event(s)");
        seen.ScopesEnded.Should().Be(1, "two never got a scope");
        host.Bus.GetStatistics().HandlerFailures.Should().Be(0);
        failures.ReadQueued().Should().BeEmpty();
        host.Log.Lines.Should().NotContain(l => l.Level == LogLevel.Error);
    }

    [Fact]
    public async Task DrainTimeout_OnAClockThatNobodyTurns_IsKeptInRealTime()
    {
        TaskCompletionSource running = new();
        await using HandlerHost host = await StartAsync(b => b.AddHandler<string>(
            "topic",
            (_, _, token) =>
            {
                running.SetResult();
                return new ValueTask(Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token));
            },
            o => o.DrainTimeout = TimeSpan.FromMilliseconds(1)));
        host.Bus.Publish("topic", "a");
        await running.Task.Soon();
        using CancellationTokenSource noLimit = new();

        await ((IHostedLifecycleService)host.Services.GetServices<IHostedService>().First()).StoppedAsync(noLimit.Token).Soon();

        host.UnhandledLog.Should().ContainSingle().Which.Should().Contain("1 event(s)");
    }

    [Fact]
    public async Task HandlerThatNeverReturns_IsWaitedForOnlyUntilTheHostsLimit()
    {
        using CancellationTokenSource limit = new();
        TaskCompletionSource<CancellationToken> running = new();
        await using HandlerHost host = await StartAsync(b => b.AddHandler<string>(
            "topic",
            (_, _, token) =>
            {
                running.SetResult(token);
                return new ValueTask(new TaskCompletionSource().Task);
            }));
        host.Bus.Publish("topic", "a");
        host.Bus.Publish("topic", "b");
        CancellationToken token = await running.Task.Soon();

        Task stopping = host.StopAsync(limit.Token);
        token.IsCancellationRequested.Should().BeFalse();
        await limit.CancelAsync();
        await stopping.Soon();

        token.IsCancellationRequested.Should().BeTrue();
        host.UnhandledLog.Should().ContainSingle().Which.Should().Contain("2 event(s)");

        // And disposing the host, below, does not wait for it either.
    }

    [Fact]
    public async Task IntakeEnds_WithTheStop()
    {
        await using HandlerHost host = await StartAsync(b => b.AddHandler<string>("topic", (_, _, _) => default));

        await host.StopAsync().Soon();

        host.Bus.Publish("topic", "late").Matched.Should().Be(0);
        host.Bus.GetSubscriptions().Should().BeEmpty();
    }

    [Fact]
    public async Task StopDuringARetryDelay_StillRetriesWithinTheDrainTimeout()
    {
        int attempts = 0;
        await using HandlerHost host = await StartAsync(b => b.AddHandler<string>(
            "topic",
            (_, _, _) => ++attempts == 1 ? throw new InvalidOperationException("once") : default,
            o => (o.MaxAttempts, o.RetryDelay) = (2, TimeSpan.FromSeconds(4))));
        host.Bus.Publish("topic", "a");
        await host.Clock.WhenTimersAsync();

        await host.StopAsync().Soon(); // the clock stands still

        attempts.Should().Be(2);
        host.UnhandledLog.Should().BeEmpty();
    }

    [Fact]
    public async Task StopDuringARetryDelay_LongerThanTheDrainTimeout_LosesNothing()
    {
        int attempts = 0;
        await using HandlerHost host = await StartAsync(b => b.AddHandler<string>(
            "topic",
            (_, _, _) => ++attempts == 1 ? throw new InvalidOperationException("once") : default,
            o => (o.MaxAttempts, o.RetryDelay, o.DrainTimeout) = (2, TimeSpan.FromHours(1), TimeSpan.FromMinutes(1))));
        host.Bus.Publish("topic", "a");
        await host.Clock.WhenTimersAsync();

        await host.StopAsync().Soon();

        attempts.Should().Be(2);
        host.Bus.GetStatistics().HandlerFailures.Should().Be(0);
        host.UnhandledLog.Should().BeEmpty();
    }

    [Fact]
    public async Task StopDuringABatchDelay_HandsOverThePartialBatchAtOnce()
    {
        await using HandlerHost host = await StartAsync(b => b.AddBatchHandler<string, ProbingBatchHandler>(
            "topic", o => (o.MaxBatchDelay, o.DrainTimeout) = (TimeSpan.FromHours(1), TimeSpan.FromSeconds(1))));
        host.Bus.Publish("topic", "a");
        host.Bus.Publish("topic", "b");
        await host.Clock.WhenTimersAsync();

        await host.StopAsync().Soon(); // the clock stands still

        Seen seen = host.Services.GetRequiredService<Seen>();
        seen.Batches.SelectMany(b => b).Should().Equal("a", "b");
        host.UnhandledLog.Should().BeEmpty();
    }

    [Fact]
    public async Task HandlersSubscribedByHand_AreDrainedWithTheOthers()
    {
        TaskCompletionSource go = new();
        int handled = 0;
        await using HandlerHost host = await StartAsync(_ => { });
        HandlerSubscription subscription = host.Bus.Handle<string>("topic", async (_, _) =>
        {
            await go.Task;
            handled++;
        });
        host.Bus.Publish("topic", "a");
        host.Bus.Publish("topic", "b");

        Task stopping = host.StopAsync();
        go.SetResult();
        await stopping.Soon();

        handled.Should().Be(2);
        subscription.Completion.IsCompleted.Should().BeTrue();
    }

    [Fact]
    public async Task HostDisposedWithoutAStop_StopsHandlersAndSaysWhatTheyLeft()
    {
        HandlerHost host = await StartAsync(b => b.AddHandler<string, ProbingHandler>("topic"));
        Seen seen = host.Services.GetRequiredService<Seen>();
        IEventBus bus = host.Bus;
        TaskCompletionSource running = new();
        seen.OnEvent = (_, token) =>
        {
            running.TrySetResult();
            return new ValueTask(Task.Delay(Timeout.InfiniteTimeSpan, host.Clock, token));
        };
        for (int i = 0; i < 4; i++)
            bus.Publish("topic", $"{i}");
        await running.Task.Soon();

        await host.DisposeAsync();

        host.UnhandledLog.Should().ContainSingle().Which.Should().Contain("4 event(s)");
        host.Log.Lines.Should().NotContain(l => l.Level == LogLevel.Error, "a disposed container is no failure of the handler");
        bus.GetStatistics().HandlerFailures.Should().Be(0);
    }

    [Fact]
    public async Task HandlerThatHangs_AtTheHostsLimit_IsTheOnlyOneThatIsSaidTo()
    {
        TaskCompletionSource running = new(), end = new();
        await using HandlerHost host = await StartAsync(b => b
            .AddHandler<string>("topic", async (_, _, _) =>
            {
                running.SetResult();
                await end.Task;
            }, o => o.Name = "hangs")
            .AddHandler<string>("idle", (_, _, _) => default)
            .AddBatchHandler<string>("idle", (_, _, _) => default)
            .AddHandler<string>("idle", (_, _, _) => default, o => o.MaxConcurrency = 2));
        host.Bus.Publish("topic", "a");
        await running.Task.Soon();

        await host.StopAsync(new CancellationToken(canceled: true)).Soon();

        host.Log.Lines.Should().ContainSingle(l => l.Id == 15).Which.Message.Should().Contain("\"topic\"").And.Contain("1 event(s)");
        end.SetResult();
    }

    [Fact]
    public async Task HostThatFailedToStart_CanBeStoppedAndDisposed()
    {
        HandlerHost host = HandlerHost.Create(b => b.AddHandler<string, ProbingHandler>("topic"));
        await host.Awaiting(h => h.StartAsync()).Should().ThrowAsync<InvalidOperationException>();

        await host.StopAsync().Soon();
        await host.DisposeAsync();
    }

    private static Task<HandlerHost> StartAsync(Action<EventBusBuilder> configure) => HandlerHost.StartAsync(builder =>
    {
        builder.Services.AddSingleton<Seen>().AddScoped<ScopeProbe>();
        configure(builder);
    });

    private sealed class PublishesWhileStopping(IEventPublisher publisher) : IHostedLifecycleService
    {
        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppingAsync(CancellationToken cancellationToken) => Publish("stopping");

        public Task StopAsync(CancellationToken cancellationToken) => Publish("stop");

        public Task StoppedAsync(CancellationToken cancellationToken) => Publish("stopped");

        private Task Publish(string stage)
        {
            publisher.Publish("stage", stage).Matched.Should().Be(1);
            return Task.CompletedTask;
        }
    }
}
