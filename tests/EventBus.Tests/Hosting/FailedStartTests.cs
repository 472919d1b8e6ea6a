using EventBus.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Hosting;

/// <summary>A host that is run, and whose start fails once the handlers are at work, stops them and says why it failed.</summary>
public sealed class FailedStartTests
{
    private readonly FakeTimeProvider _clock = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task HandlerHangs_TheStartsExceptionIsThrownAndTheHandlerNamed(bool heedsItsToken)
    {
        using RecordedLog log = new();
        TaskCompletionSource<CancellationToken> running = new();
        TaskCompletionSource never = new();
        using IHost host = Build(log, running.Task, async token =>
        {
            running.SetResult(token);
            await (heedsItsToken ? Task.Delay(Timeout.InfiniteTimeSpan, _clock, token) : never.Task);
        });

        Task run = host.RunAsync();
        CancellationToken token = await running.Task.Soon();
        if (!heedsItsToken)
        {
            await _clock.WhenTimersAsync();
            _clock.Advance(TimeSpan.FromSeconds(5));
        }

        (await run.Invoking(r => r.Soon()).Should().ThrowAsync<InvalidOperationException>()).WithMessage("the start fails");
        token.IsCancellationRequested.Should().BeTrue();
        log.Lines.Count(l => l.Id == 15).Should().Be(heedsItsToken ? 0 : 1);
        log.Lines.Should().ContainSingle(l => l.Id == 8).Which.Message.Should().Contain("2 event(s)");
        never.SetResult();
    }

    [Fact]
    public async Task HandlerHangs_StoppedWithoutALimit_GoesOnAfterItsTime()
    {
        using RecordedLog log = new();
        TaskCompletionSource<CancellationToken> running = new();
        TaskCompletionSource never = new();
        await using HandlerHost host = await HandlerHost.StartAsync(b => b.AddHandler<string>("topic", async (_, _, token) =>
        {
            running.SetResult(token);
            await never.Task;
        }));
        host.Bus.Publish("topic", "a");
        CancellationToken token = await running.Task.Soon();
        TaskCompletionSource cancelled = new();
        token.Register(cancelled.SetResult);

        // As a host of somebody's own may do it.
        Task stopping = host.Services.GetServices<IHostedService>().OfType<IHostedLifecycleService>().Single().StoppedAsync(CancellationToken.None);
        await host.Clock.WhenTimersAsync();
        host.Clock.Advance(TimeSpan.FromSeconds(30));
        await cancelled.Task.Soon();
        await host.Clock.WhenTimersAsync();
        host.Clock.Advance(TimeSpan.FromSeconds(5));
        await stopping.Soon();

        host.Log.Lines.Should().ContainSingle(l => l.Id == 15).Which.Message.Should().Contain(nameof(FailedStartTests));
        never.SetResult();
    }

    private IHost Build(RecordedLog log, Task running, Func<CancellationToken, Task> handle)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<TimeProvider>(_clock).AddSingleton<ILoggerFactory>(log);
        builder.Services.AddEventBus().AddHandler<string>("topic", (_, _, token) => new ValueTask(handle(token)));
        builder.Services.AddHostedService(services => new FailsToStart(services.GetRequiredService<IEventPublisher>(), running));
        return builder.Build();
    }

    private sealed class FailsToStart(IEventPublisher publisher, Task running) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken)
        {
            publisher.Publish("topic", "a").Matched.Should().Be(1);
            publisher.Publish("topic", "b").Matched.Should().Be(1);
            await running;
            throw new InvalidOperationException("the start fails");
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
