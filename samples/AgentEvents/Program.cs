using EventBus;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Samples.Agents;

if (args.Length > 1)
{
    Console.Error.WriteLine("AgentEvents takes one argument, the folder to look through; without it, the current folder.");
    return 2;
}

string folder = args.Length == 1 ? args[0] : Directory.GetCurrentDirectory();
if (!Directory.Exists(folder))
{
    Console.Error.WriteLine(Printable.OneLine($"AgentEvents: there is no folder \"{folder}\"."));
    return 2;
}

// An empty builder: whatever the current folder holds is there to be read, not to configure this program.
HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(settings: null);
builder.Logging.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace).SetMinimumLevel(LogLevel.Warning);

// Output may be held up for long (by a pager, say). Then the agents wait for it: not one event is given up.
TimeSpan patience = TimeSpan.FromHours(1);
builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = patience);

string[] everything = [AgentEvent.Topic.Name, ClusterEvent.Topic.Name];
builder.Services.AddSingleton<EventCounter>().AddSingleton<CompletedTasks>();
builder.Services.AddEventBus()
    .AddHandler<ITaggedEvent, EventLogger>(everything, Wait)
    .AddHandler<ITaggedEvent, EventCounter>(everything, Wait)
    .AddHandler<AgentEvent.TaskCompleted, CompletedTasks>(AgentEvent.Topic.Name, Wait);

builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton(new WorkFolder(folder));
builder.Services.AddSingleton<AgentEvents>();
builder.Services.AddSingleton<AgentPool>();
builder.Services.AddHostedService<ClusterNode>();
builder.Services.AddHostedService(services => services.GetRequiredService<AgentPool>());

using IHost host = builder.Build();
try
{
    await host.StartAsync();
}
catch (OperationCanceledException) when (host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested)
{
    // Ctrl-C came before all had started: what has is stopped as ever.
}

await host.WaitForShutdownAsync();
return Report.Print(host.Services) ? 0 : 1;

void Wait(HandlerOptions options) => options.WaitTimeout = options.DrainTimeout = patience;
