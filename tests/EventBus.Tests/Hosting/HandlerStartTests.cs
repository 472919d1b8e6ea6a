using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Tests.Hosting;

public sealed class HandlerStartTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Handlers_SubscribeBeforeAnyOtherServiceStarts(bool concurrently)
    {
        Seen seen = new();
        await using HandlerHost host = HandlerHost.CreateWith(services =>
        {
            services.Configure<HostOptions>(o => o.ServicesStartConcurrently = concurrently);

            // Registered before the bus, and publishing at the earliest moment the host has.
            services.AddHostedService<PublishesAtEveryStage>();
            services.AddSingleton(seen).AddScoped<ScopeProbe>();
            services.AddEventBus().AddHandler<string, ProbingHandler>("stage");
        });

        await host.StartAsync();
        await host.WhenIdleAsync();

        seen.Events.Should().Equal("starting", "start", "started");
    }

    [Fact]
    public async Task MissingDependency_FailsTheStartWithBothNames_CreatingAndSubscribingNothing()
    {
        Seen seen = new();
        await using HandlerHost host = HandlerHost.Create(b =>
        {
            b.Services.AddSingleton(seen);
            b.AddHandler<int, ProbingHandler>("numbers");
            b.AddHandler<string>("fine", (_, _, _) => default);
        });

        InvalidOperationException failure =
            (await host.Awaiting(h => h.StartAsync()).Should().ThrowAsync<InvalidOperationException>()).Which;

        failure.Message.Should().Contain(nameof(ProbingHandler)).And.Contain("\"numbers\"").And.Contain(nameof(ScopeProbe));
        seen.HandlersCreated.Should().Be(0);
        host.Bus.GetSubscriptions().Should().BeEmpty();
    }

    [Fact]
    public async Task SeveralFaults_AreToldTogether()
    {
        await using HandlerHost host = HandlerHost.Create(b =>
        {
            b.AddHandler<string, ProbingHandler>("first");
            b.AddBatchHandler<string, ProbingBatchHandler>("second");
            b.AddHandler<string>("third", (_, _, _) => default, o => o.MaxConcurrency = 0);
        });

        InvalidOperationException failure =
            (await host.Awaiting(h => h.StartAsync()).Should().ThrowAsync<InvalidOperationException>()).Which;

        failure.Message.Should().Contain("\"first\"").And.Contain("\"second\"").And.Contain("\"third\"")
            .And.Contain("MaxConcurrency is 0; it must be 1 to 1024");
    }

    [Fact]
    public async Task BatchHandlerWithConcurrency_FailsTheStart()
    {
        await using HandlerHost host = HandlerHost.Create(b =>
        {
            b.Services.AddSingleton<Seen>().AddScoped<ScopeProbe>();
            b.AddHandler<string>("earlier", (_, _, _) => default);
            b.AddBatchHandler<string, ProbingBatchHandler>("batches", o => o.MaxConcurrency = 2);
        });

        InvalidOperationException failure =
            (await host.Awaiting(h => h.StartAsync()).Should().ThrowAsync<InvalidOperationException>()).Which;

        failure.Message.Should().Contain(nameof(ProbingBatchHandler)).And.Contain("\"batches\"").And.Contain("it must be 1");
        host.Bus.GetSubscriptions().Should().BeEmpty("what had subscribed before it is stopped again");
    }

    [Fact]
    public async Task TooManySubscriptions_FailsTheStartNamingTheHandler()
    {
        await using HandlerHost host = HandlerHost.CreateWith(services => services.AddEventBus(o => o.MaxSubscriptions = 1)
            .AddHandler<string>("first", (_, _, _) => default)
            .AddHandler<string>("second", (_, _, _) => default));

        InvalidOperationException failure =
            (await host.Awaiting(h => h.StartAsync()).Should().ThrowAsync<InvalidOperationException>()).Which;

        failure.Message.Should().Contain(nameof(HandlerStartTests)).And.Contain("\"second\"");
    }

    [Fact]
    public void WrongPattern_IsToldWhereItIsGiven()
    {
        EventBusBuilder builder = new ServiceCollection().AddEventBus();

        builder.Invoking(b => b.AddHandler<string>("a::b", (_, _, _) => default)).Should().Throw<ArgumentException>().WithMessage("*a::b*");
        builder.Invoking(b => b.AddHandler<string, ProbingHandler>([])).Should().Throw<ArgumentException>().WithMessage("*No pattern*");
    }

    [Fact]
    public async Task Options_StartFromTheBusesDefaults_AndBelongToOneRegistration()
    {
        await using HandlerHost host = HandlerHost.CreateWith(services => services
            .AddEventBus(o => (o.Subscription.Capacity, o.Subscription.Name) = (10, "default"))
            .AddHandler<string>("a", (_, _, _) => default)
            .AddHandler<string>("b", (_, _, _) => default, o => o.Capacity++)
            .AddHandler<string>("c", (_, _, _) => default, o => o.Name = "mine"));

        await host.StartAsync();

        host.Bus.GetSubscriptions().Select(s => (s.Patterns[0], s.Capacity, s.Name)).Should()
            .Equal(("a", 10, "default"), ("b", 11, "default"), ("c", 10, "mine"));
    }

    [Fact]
    public async Task KeyedBuses_DoNotHearEachOther()
    {
        Seen seen = new();
        await using HandlerHost host = HandlerHost.CreateWith(services =>
        {
            services.AddEventBus().AddHandler<string>("topic", (_, e, _) => Add($"default {e.Event}"));
            services.AddEventBus("audit").AddHandler<string>("topic", (_, e, _) => Add($"audit {e.Event}"));
        });
        await host.StartAsync();
        InProcessEventBus audit = host.Services.GetRequiredKeyedService<InProcessEventBus>("audit");

        audit.Publish("topic", "a").Matched.Should().Be(1);
        await audit.Activity.WhenIdleAsync(CancellationToken.None).Soon();
        host.Bus.Publish("topic", "b").Matched.Should().Be(1);
        await host.WhenIdleAsync();

        seen.Events.Should().Equal("audit a", "default b");

        ValueTask Add(string @event)
        {
            seen.Events.Enqueue(@event);
            return default;
        }
    }

    [Fact]
    public async Task TwoHosts_InOneProcess_AreStrangers()
    {
        await using HandlerHost first = HandlerHost.Create(Register);
        await using HandlerHost second = HandlerHost.Create(Register);
        await first.StartAsync();
        await second.StartAsync();

        first.Bus.Publish("topic", "a");
        await first.WhenIdleAsync();
        await first.StopAsync();
        second.Bus.Publish("topic", "b");
        await second.WhenIdleAsync();

        first.Services.GetRequiredService<Seen>().Events.Should().Equal("a");
        second.Services.GetRequiredService<Seen>().Events.Should().Equal("b");
        first.Bus.NodeName.Should().Be(second.Bus.NodeName, "they share a process");

        static void Register(EventBusBuilder builder)
        {
            builder.Services.AddSingleton<Seen>().AddScoped<ScopeProbe>();
            builder.AddHandler<string, ProbingHandler>("topic");
        }
    }

    private sealed class PublishesAtEveryStage(IEventPublisher publisher) : IHostedLifecycleService
    {
        public Task StartingAsync(CancellationToken cancellationToken) => Publish("starting");

        public Task StartAsync(CancellationToken cancellationToken) => Publish("start");

        public Task StartedAsync(CancellationToken cancellationToken) => Publish("started");

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        private Task Publish(string stage)
        {
            publisher.Publish("stage", stage).Matched.Should().Be(1);
            return Task.CompletedTask;
        }
    }
}
