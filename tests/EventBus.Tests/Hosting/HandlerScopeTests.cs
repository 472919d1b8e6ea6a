using System.Globalization;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Tests.Hosting;

public sealed class HandlerScopeTests
{
    [Theory]
    [InlineData(1, HandlerOrder.PerTopic)]
    [InlineData(4, HandlerOrder.PerTopic)]
    [InlineData(4, HandlerOrder.None)]
    public async Task EveryDelivery_HasAScopeOfItsOwn_ThatIsDisposed(int concurrency, HandlerOrder order)
    {
        const int Events = 500;
        await using HandlerHost host = await StartAsync(b => b.AddHandler<string, ProbingHandler>(
            "agent:#", o => (o.MaxConcurrency, o.Order) = (concurrency, order)));
        Seen seen = host.Services.GetRequiredService<Seen>();

        for (int i = 0; i < Events; i++)
            host.Bus.Publish($"agent:{i % 7}", i.ToString(CultureInfo.InvariantCulture));
        await host.WhenIdleAsync();

        seen.Events.Should().HaveCount(Events);
        seen.ScopesBegun.Should().Be(Events);
        seen.ScopesEnded.Should().Be(Events);
        seen.HandlersCreated.Should().Be(Events);
        seen.Scopes.Distinct().Should().HaveCount(Events);
    }

    [Fact]
    public async Task EveryAttempt_HasAScopeOfItsOwn_ThatIsDisposedAlsoOnFailure()
    {
        await using HandlerHost host = await StartAsync(b => b.AddHandler<string, ProbingHandler>(
            "agent", o => (o.MaxAttempts, o.RetryDelay) = (3, TimeSpan.Zero)));
        Seen seen = host.Services.GetRequiredService<Seen>();
        seen.OnEvent = (_, _) => throw new InvalidOperationException("always");

        host.Bus.Publish("agent", "event");
        await host.WhenIdleAsync();

        seen.ScopesBegun.Should().Be(3);
        seen.ScopesEnded.Should().Be(3);
        host.Bus.GetStatistics().HandlerFailures.Should().Be(1);
    }

    [Fact]
    public async Task ABatch_HasOneScope()
    {
        await using HandlerHost host = await StartAsync(b => b.AddBatchHandler<string, ProbingBatchHandler>("agent", o => o.MaxBatchSize = 2));
        Seen seen = host.Services.GetRequiredService<Seen>();

        foreach (string @event in (string[])["a", "b", "c", "d"])
            host.Bus.Publish("agent", @event);
        await host.WhenIdleAsync();

        seen.Batches.Should().BeEquivalentTo((string[][])[["a", "b"], ["c", "d"]], o => o.WithStrictOrdering());
        seen.ScopesBegun.Should().Be(2);
        seen.ScopesEnded.Should().Be(2);
    }

    [Fact]
    public async Task ADelegate_GetsTheServicesOfItsScope()
    {
        List<ScopeProbe> probes = [];
        await using HandlerHost host = await StartAsync(b => b.AddHandler<string>("agent", (services, envelope, _) =>
        {
            ScopeProbe probe = services.GetRequiredService<ScopeProbe>();
            probe.IsDisposed.Should().BeFalse();
            services.GetRequiredService<ScopeProbe>().Should().BeSameAs(probe);
            probes.Add(probe);
            return default;
        }));

        host.Bus.Publish("agent", "a");
        host.Bus.Publish("agent", "b");
        await host.WhenIdleAsync();

        probes.Should().HaveCount(2).And.OnlyHaveUniqueItems().And.OnlyContain(p => p.IsDisposed);
    }

    [Fact]
    public async Task OneClass_ForSeveralPatternsAndEvents_GetsEachOnce()
    {
        await using HandlerHost host = await StartAsync(b => b
            .AddHandler<string, ProbingHandler>(["agent:#", "agent:1", "cluster"])
            .AddHandler<int, ProbingHandler>("agent:1"));

        host.Bus.Publish("agent:1", "a");
        host.Bus.Publish("cluster", "c");
        host.Bus.Publish("agent:1", 7);
        await host.WhenIdleAsync();

        Seen seen = host.Services.GetRequiredService<Seen>();
        seen.Events.Should().BeEquivalentTo("a", "c", "number 7");
        seen.Events.Where(e => e.Length == 1).Should().Equal("a", "c");
    }

    [Fact]
    public async Task SameHandler_RegisteredTwice_GetsEverythingTwice()
    {
        await using HandlerHost host = await StartAsync(b => b
            .AddHandler<string, ProbingHandler>("agent")
            .AddHandler<string, ProbingHandler>("agent", o => o.Name = "second"));

        host.Bus.Publish("agent", "a").Matched.Should().Be(2);
        await host.WhenIdleAsync();

        host.Services.GetRequiredService<Seen>().Events.Should().Equal("a", "a");
    }

    [Fact]
    public async Task HandlerRegisteredAsSingleton_IsUsedForEveryDelivery()
    {
        await using HandlerHost host = await StartAsync(b =>
        {
            b.AddHandler<string, Counter>("agent");
            b.Services.AddSingleton<Counter>();
        });

        host.Bus.Publish("agent", "a");
        host.Bus.Publish("agent", "b");
        await host.WhenIdleAsync();

        host.Services.GetRequiredService<Counter>().Count.Should().Be(2);
    }

    [Fact]
    public async Task ScopeThatFailsToDispose_IsAFailedAttempt()
    {
        await using HandlerHost host = await StartAsync(b =>
        {
            b.AddHandler<string>("agent", (services, _, _) =>
            {
                services.GetRequiredService<FailsToDispose>();
                return default;
            });
            b.Services.AddScoped<FailsToDispose>();
        });
        using Subscription<BusEvent> failures = host.Bus.Subscribe<BusEvent>("$bus:failures");

        host.Bus.Publish("agent", "a");

        BusEvent failure = await failures.NextAsync();
        failure.Should().BeOfType<BusEvent.HandlerFailed>().Which.Exception.Message.Should().Be("cannot be disposed");
    }

    private static Task<HandlerHost> StartAsync(Action<EventBusBuilder> configure) => HandlerHost.StartAsync(builder =>
    {
        builder.Services.AddSingleton<Seen>().AddScoped<ScopeProbe>();
        configure(builder);
    });

    private sealed class Counter : IEventHandler<string>
    {
        public int Count { get; private set; }

        public ValueTask HandleAsync(Envelope<string> envelope, CancellationToken cancellationToken)
        {
            Count++;
            return default;
        }
    }

    private sealed class FailsToDispose : IDisposable
    {
        public void Dispose() => throw new InvalidOperationException("cannot be disposed");
    }
}
