using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Testing.Tests.Hosting;

public sealed class RecorderInAHostTests
{
    [Fact]
    public async Task WebApplication_OrderPosted_IsBilledOnceTheRetryIsDue()
    {
        FakeTimeProvider clock = new();
        await using OrderApp app = new();
        await using WebApplicationFactory<OrderApp> test = app.WithWebHostBuilder(builder => builder.ConfigureTestServices(services => services
            .AddSingleton<TimeProvider>(clock)
            .AddEventBusRecorder<OrderEvent>()));
        using HttpClient client = test.CreateClient();
        EventRecorder<OrderEvent> recorder = test.Services.GetRequiredService<EventRecorder<OrderEvent>>();
        IEventBus bus = test.Services.GetRequiredService<IEventBus>();

        (await client.PostAsync("/orders/7", content: null)).EnsureSuccessStatusCode();
        await clock.WhenTimersAsync();
        recorder.Events.Should().EndWith(new OrderEvent.Placed("7"));
        clock.Advance(TimeSpan.FromSeconds(1));
        await bus.WhenIdleAsync();

        recorder.Events.Should().Equal(new OrderEvent.ShopOpened(), new OrderEvent.Placed("7"), new OrderEvent.Billed("7"));
    }

    [Fact]
    public void AddEventBusRecorder_Twice_IsOneRecorderOfEverything()
    {
        ServiceCollection services = new();
        services.AddEventBus();
        services.AddEventBusRecorder().AddEventBusRecorder();
        using ServiceProvider provider = services.BuildServiceProvider();
        EventRecorder<object> recorder = provider.GetRequiredService<EventRecorder<object>>();

        provider.GetRequiredService<IEventBus>().Publish("a:b", 1);

        recorder.Events.Should().Equal(1);
        services.Count(s => s.ServiceType == typeof(EventRecorder<object>)).Should().Be(1);
    }
}
