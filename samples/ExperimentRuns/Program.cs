using System.Globalization;
using EventBus;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Samples.Experiments;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
HostApplicationBuilder builder = new(new HostApplicationBuilderSettings { DisableDefaults = true });
builder.Configuration.AddEnvironmentVariables();
if (!Settings.TryParse(args, builder.Configuration.GetConnectionString("Experiments"), out Settings? settings, out string mistake))
{
    Console.Error.WriteLine($"ExperimentRuns: {mistake}");
    return 2;
}

// Failures of the store, which write-behind gets over by itself, are told beside the output.
builder.Logging.AddSimpleConsole(o => o.SingleLine = true).SetMinimumLevel(LogLevel.Warning);
builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
builder.Services.AddSingleton(settings).AddSingleton(TimeProvider.System).AddSingleton<Laboratory>().AddSingleton<Session>();

// Logs and results are stored before they are broadcast.
EventBusBuilder bus = builder.Services.AddEventBus(Topics.KeepRuns);
if (settings.ConnectionString is null)
{
    bus.AddWriteBehind<RunData, JsonLinesStore>();
    builder.Services.AddSingleton<IRunDataStore>(services => services.GetRequiredService<JsonLinesStore>());
}
else
{
    bus.AddWriteBehind<RunData, PostgresStore>();
    builder.Services.AddSingleton<IRunDataStore>(services => services.GetRequiredService<PostgresStore>());
}

using IHost host = builder.Build();
try
{
    // The host turns Ctrl-C into the end of all runs; what they had to say is stored all the same.
    await host.StartAsync();
    bool isRight = await host.Services.GetRequiredService<Session>()
        .RunAsync(host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
    await host.StopAsync();
    return isRight ? 0 : 1;
}
catch (StoreUnavailableException exception)
{
    Console.Error.WriteLine($"ExperimentRuns: {exception.Message.ReplaceLineEndings(" ")}");
    return 2;
}
