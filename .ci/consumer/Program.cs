// A new user's first program on the packages: the bus alone, the bus in a host with a handler, and the test kit.
using System.Reflection;
using EventBus;
using EventBus.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

await using (var bus = new InProcessEventBus())
{
    using Subscription<string> greetings = bus.Subscribe<string>("greetings:*");
    PublishResult result = bus.Publish("greetings:en", "hello");
    Envelope<string> envelope = await greetings.Reader.ReadAsync();
    Require(result == new PublishResult(Matched: 1, Dropped: 0) && envelope is { Topic: "greetings:en", Event: "hello" });
}

HostApplicationBuilder builder = Host.CreateApplicationBuilder();
builder.Services.AddEventBus(options => options.KeepHistory("orders:#"))
    .AddHandler<OrderPlaced>("orders:placed", (services, envelope, _) =>
    {
        services.GetRequiredService<IEventPublisher>().Publish("orders:shipped", new OrderShipped(envelope.Event.Number));
        return ValueTask.CompletedTask;
    });
using IHost host = builder.Build();
await host.StartAsync();
var hosted = host.Services.GetRequiredService<IEventBus>();
await using (EventRecorder<OrderShipped> recorder = hosted.Record<OrderShipped>("orders:#"))
{
    hosted.Publish("orders:placed", new OrderPlaced(7));
    await hosted.WhenIdleAsync();
    Envelope<OrderShipped> shipped = await recorder.WaitForAsync(e => e.Event.Number == 7, TimeSpan.FromSeconds(30));
    Require(shipped.Sequence > 0 && hosted.GetHistory<object>("orders:placed").Count == 1);
}

await host.StopAsync();
foreach (Type type in new[] { typeof(IEventBus), typeof(EventRecorder<>) })
{
    Assembly assembly = type.Assembly;
    string? version = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
    Console.WriteLine($"{assembly.GetName().Name} {version}");
}

static void Require(bool condition)
{
    if (!condition)
        throw new InvalidOperationException("The package does not do what it promises.");
}

internal sealed record OrderPlaced(int Number);

internal sealed record OrderShipped(int Number);
