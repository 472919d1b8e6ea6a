using EventBus.Tests.Handling;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Hosting;

public sealed class AddFilterTests
{
    [Fact]
    public async Task Filters_OfTheBus_AreAroundThoseOfTheHandler_AndTakenFromTheAttemptsScope()
    {
        Told told = new();
        await using HandlerHost host = await StartAsync(told, b => b
            .AddFilter<Outer>()
            .AddFilter<Inner>()
            .AddHandler<string, TellingHandler>("topic", o =>
            {
                o.Filters.Add(TestFilter.Telling("own", told.Lines));
                (o.MaxAttempts, o.RetryDelay) = (2, TimeSpan.Zero);
            }));

        host.Bus.Publish("topic", "bad");
        await host.WhenIdleAsync();

        told.Lines.Should().Equal(
            "outer 1 in", "inner 1 in", "own in", "handled bad", "own out", "inner 1 out", "outer 1 out",
            "outer 2 in", "inner 2 in", "own in", "handled bad", "own out", "inner 2 out", "outer 2 out");
        told.Scopes.Should().HaveCount(6, "two filters and a handler had two attempts");
        told.Scopes.Distinct().Should().HaveCount(2, "each attempt has one scope, which all of them share");
        told.Scopes.Should().OnlyContain(s => s.IsDisposed);
    }

    [Fact]
    public async Task Filters_OfTheBus_AreAroundHandlersOfEveryKind()
    {
        Told told = new();
        await using HandlerHost host = await StartAsync(told, b => b
            .AddFilter<Inner>()
            .AddHandler<string>("delegate", (services, _, _) => told.Use(services))
            .AddBatchHandler<string>("batch", (services, _, _) => told.Use(services), o => o.MaxBatchSize = 2)
            .AddBatchHandler<string, TellingBatchHandler>("batches", o => o.MaxBatchSize = 2));
        host.Bus.Handle<string>("joined later", (_, _) => default);
        host.Bus.HandleBatch<string>("batches later", (_, _) => default, new() { MaxBatchSize = 2 });

        foreach (string topic in (string[])["delegate", "batch", "batches", "joined later", "batches later"])
        {
            told.Lines.Clear();
            told.Scopes.Clear();
            host.Bus.Publish(topic, "a");
            if (topic.StartsWith("batch", StringComparison.Ordinal))
                host.Bus.Publish(topic, "b");
            await host.WhenIdleAsync();

            told.Lines.Should().Equal(["inner 1 in", "inner 1 out"], $"of the handler of {topic}");
            told.Scopes.Distinct().Should().ContainSingle().Which.IsDisposed.Should().BeTrue();
        }
    }

    [Fact]
    public async Task Filters_OfOneBus_AreNotAroundHandlersOfAnother()
    {
        Told told = new();
        await using HandlerHost host = HandlerHost.CreateWith(services =>
        {
            services.AddSingleton(told).AddScoped<ScopeProbe>().AddSingleton<Seen>();
            services.AddEventBus().AddFilter<Outer>().AddHandler<string>("topic", (_, _, _) => default);
            services.AddEventBus("audit").AddFilter<Inner>().AddHandler<string>("topic", (_, _, _) => default);
        });
        await host.StartAsync();

        host.Services.GetRequiredKeyedService<IEventBus>("audit").Publish("topic", "a");
        await host.Services.GetRequiredKeyedService<InProcessEventBus>("audit").WhenIdleAsync();
        told.Lines.Should().Equal("inner 1 in", "inner 1 out");
        host.Bus.Publish("topic", "a");
        await host.WhenIdleAsync();

        told.Lines.Skip(2).Should().Equal("outer 1 in", "outer 1 out");
    }

    [Fact]
    public async Task Filter_RegisteredAsASingleton_IsOne()
    {
        Told told = new();
        await using HandlerHost host = await StartAsync(told, b =>
        {
            b.Services.AddSingleton<Counting>();
            b.AddFilter<Counting>().AddHandler<string>("topic", (_, _, _) => default);
        });

        host.Bus.Publish("topic", "a");
        host.Bus.Publish("topic", "b");
        await host.WhenIdleAsync();

        host.Services.GetRequiredService<Counting>().Count.Should().Be(2);
    }

    [Fact]
    public async Task FilterThatCannotBeCreated_FailsTheStart_ByName()
    {
        await using HandlerHost host = HandlerHost.Create(b => b.AddFilter<NeedsMissing>().AddHandler<string>("topic", (_, _, _) => default));

        Func<Task> start = host.StartAsync;

        (await start.Should().ThrowAsync<InvalidOperationException>())
            .WithMessage($"*filter*{nameof(NeedsMissing)}*needs*{nameof(IMissing)}*not registered*");
        host.Bus.GetSubscriptions().Should().BeEmpty();
    }

    [Fact]
    public async Task WithoutFilters_AHandlerThatJoinsLater_HasNoScope()
    {
        Told told = new();
        await using HandlerHost host = await StartAsync(told, b => b.AddHandler<string>("other", (_, _, _) => default));
        IServiceProvider? services = host.Services;
        host.Bus.Handle<string>("topic", (_, _) => default, new()
        {
            Filters =
            {
                new TestFilter((context, next, token) =>
                {
                    services = context.Services;
                    return next(token);
                }),
            },
        });

        host.Bus.Publish("topic", "a");
        await host.WhenIdleAsync();

        services.Should().BeNull();
    }

    [Fact]
    public async Task ContainerDisposedWithEventsQueued_SaysWhatIsNotHandled_AsNoFilterCanBeMade()
    {
        RecordedLog log = new();
        ServiceCollection services = new();
        services.AddSingleton<ILoggerFactory>(log).AddEventBus().AddFilter<Counting>();
        ServiceProvider provider = services.BuildServiceProvider();
        IEventBus bus = provider.GetRequiredService<IEventBus>();
        TaskCompletionSource running = new(), end = new();
        bus.Handle<int>("topic", async (e, _) =>
        {
            running.TrySetResult();
            await end.Task;
        });
        for (int i = 0; i < 5; i++)
            bus.Publish("topic", i);
        await running.Task.Soon();

        Task disposed = provider.DisposeAsync().AsTask();
        end.SetResult();
        await disposed.Soon();

        log.Lines.Should().ContainSingle(l => l.Id == 17).Which.Message.Should().Contain("\"topic\"").And.Contain(" 4 event(s)");
    }

    private static Task<HandlerHost> StartAsync(Told told, Action<EventBusBuilder> configure) => HandlerHost.StartAsync(b =>
    {
        b.Services.AddSingleton(told).AddScoped<ScopeProbe>().AddSingleton<Seen>();
        configure(b);
    });

    private interface IMissing;

    private sealed class Told
    {
        public List<string> Lines { get; } = [];

        public List<ScopeProbe> Scopes { get; } = [];

        public ValueTask Use(IServiceProvider services)
        {
            Scopes.Add(services.GetRequiredService<ScopeProbe>());
            return default;
        }
    }

    private sealed class Outer(Told told, ScopeProbe scope) : Telling("outer", told, scope);

    private sealed class Inner(Told told, ScopeProbe scope) : Telling("inner", told, scope);

    private abstract class Telling(string name, Told told, ScopeProbe scope) : IHandlerFilter
    {
        public async ValueTask InvokeAsync(HandlerContext context, Func<CancellationToken, ValueTask> next, CancellationToken cancellationToken)
        {
            context.Services!.GetRequiredService<ScopeProbe>().Should().BeSameAs(scope);
            told.Scopes.Add(scope);
            told.Lines.Add($"{name} {context.Attempt} in");
            try
            {
                await next(cancellationToken);
            }
            finally
            {
                told.Lines.Add($"{name} {context.Attempt} out");
            }
        }
    }

    private sealed class TellingHandler(Told told, ScopeProbe scope) : IEventHandler<string>
    {
        public ValueTask HandleAsync(Envelope<string> envelope, CancellationToken cancellationToken)
        {
            told.Scopes.Add(scope);
            told.Lines.Add($"handled {envelope.Event}");
            throw new InvalidOperationException("always");
        }
    }

    private sealed class TellingBatchHandler(Told told, ScopeProbe scope) : IBatchEventHandler<string>
    {
        public ValueTask HandleAsync(IReadOnlyList<Envelope<string>> batch, CancellationToken cancellationToken)
        {
            told.Scopes.Add(scope);
            return default;
        }
    }

    private sealed class Counting : IHandlerFilter
    {
        public int Count { get; private set; }

        public ValueTask InvokeAsync(HandlerContext context, Func<CancellationToken, ValueTask> next, CancellationToken cancellationToken)
        {
            Count++;
            return next(cancellationToken);
        }
    }

    private sealed class NeedsMissing(IMissing missing) : IHandlerFilter
    {
        public ValueTask InvokeAsync(HandlerContext context, Func<CancellationToken, ValueTask> next, CancellationToken cancellationToken) =>
            throw new InvalidOperationException($"{missing}");
    }
}
