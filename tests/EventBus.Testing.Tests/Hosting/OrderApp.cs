using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Testing.Tests.Hosting;

/// <summary>A web application that takes orders; a handler bills them, after a first attempt that fails.</summary>
public sealed class OrderApp : WebApplicationFactory<OrderApp>
{
    protected override IHostBuilder CreateHostBuilder() => Host.CreateDefaultBuilder().ConfigureWebHost(_ => { });

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseContentRoot(AppContext.BaseDirectory);
        builder.ConfigureServices(services =>
        {
            services.AddRouting();
            services.AddSingleton<Bank>();
            services.AddHostedService<Opening>();
            services.AddEventBus().AddHandler<OrderEvent.Placed>("order:*", Bill, o => o.MaxAttempts = 2);
        });
        builder.Configure(app => app.UseRouting().UseEndpoints(endpoints => endpoints.MapPost("/orders/{id}", (string id, IEventBus bus) =>
        {
            bus.Publish(Topic.Join("order", id), new OrderEvent.Placed(id));
            return Results.Accepted();
        })));
    }

    private static ValueTask Bill(IServiceProvider services, Envelope<OrderEvent.Placed> envelope, CancellationToken cancellationToken)
    {
        if (services.GetRequiredService<Bank>().IsFirstCall())
            throw new InvalidOperationException("The bank does not answer.");
        services.GetRequiredService<IEventBus>().Publish(envelope.Topic, new OrderEvent.Billed(envelope.Event.Id));
        return default;
    }

    /// <summary>What billing needs; it does not answer the first time.</summary>
    private sealed class Bank
    {
        private int _calls;

        public bool IsFirstCall() => Interlocked.Increment(ref _calls) == 1;
    }

    /// <summary>Publishes while the host starts.</summary>
    private sealed class Opening(IEventBus bus) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            bus.Publish("shop", new OrderEvent.ShopOpened());
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

/// <summary>What happens in the shop.</summary>
public abstract record OrderEvent
{
    private OrderEvent()
    {
    }

    public sealed record ShopOpened : OrderEvent;

    public sealed record Placed(string Id) : OrderEvent;

    public sealed record Billed(string Id) : OrderEvent;
}
