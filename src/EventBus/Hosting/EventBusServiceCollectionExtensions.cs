using System.Diagnostics.Metrics;
using EventBus;
using EventBus.Handling;
using EventBus.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers buses.</summary>
/// <remarks>
/// <para>
/// Each bus is a singleton, resolved as <see cref="IEventBus"/> or as <see cref="IEventPublisher"/>, and is disposed with the container. Calling
/// twice is safe: there is one bus, configured by both calls, in order. Options are validated when the host starts; the message names
/// each option that is wrong, and its range.
/// </para>
/// <para>
/// A bus takes its <see cref="TimeProvider"/>, <see cref="ILoggerFactory"/> and <see cref="IMeterFactory"/> from the container where they are
/// registered.
/// </para>
/// </remarks>
public static class EventBusServiceCollectionExtensions
{
    /// <summary>Registers the bus.</summary>
    /// <param name="services">The services.</param>
    /// <returns>What registers its handlers.</returns>
    public static EventBusBuilder AddEventBus(this IServiceCollection services) => Add(services, name: null);

    /// <summary>Registers the bus and configures it in code.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets its options.</param>
    /// <returns>What registers its handlers.</returns>
    public static EventBusBuilder AddEventBus(this IServiceCollection services, Action<EventBusOptions> configure) =>
        Configure(Add(services, name: null), configure);

    /// <summary>Registers the bus and configures it from configuration.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configuration">
    /// The section with its options, such as <c>builder.Configuration.GetSection("EventBus")</c>. A key that is no option, and a value
    /// that is not of the option's type, fail the start.
    /// </param>
    /// <returns>What registers its handlers.</returns>
    /// <remarks>
    /// <para><see cref="SubscriptionOptions.Replay"/> is written as <c>None</c>, <c>All</c>, <c>Last(100)</c> or <c>After(123)</c>.</para>
    /// <para>
    /// The sub-section <c>Handlers:Name</c> has the <see cref="HandlerOptions"/> of the handlers of that name, registered with this bus. It is the
    /// <see cref="SubscriptionOptions.Name"/> that the handler's options are given in code, or else the name of its class without the
    /// namespace; one with a colon cannot be configured. The sub-section <c>WriteBehind:Name</c> has the <see cref="WriteBehindOptions"/> of the
    /// write-behind of the events whose type has that name. What is configured there has the last word over code, so that it can be
    /// tuned without a new build. A name that nobody has fails the start of the host, with a message that lists those that exist.
    /// </para>
    /// </remarks>
    public static EventBusBuilder AddEventBus(this IServiceCollection services, IConfiguration configuration) =>
        Configure(Add(services, name: null), configuration);

    /// <summary>Registers a keyed bus of its own, injected with <c>[FromKeyedServices(name)]</c>. Buses do not hear each other.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">Its key; not empty.</param>
    /// <returns>What registers its handlers.</returns>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    public static EventBusBuilder AddEventBus(this IServiceCollection services, string name) => Add(services, Checked(name));

    /// <summary>Registers a keyed bus and configures it in code.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">Its key, and the name of its options; not empty.</param>
    /// <param name="configure">Sets its options.</param>
    /// <returns>What registers its handlers.</returns>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    public static EventBusBuilder AddEventBus(this IServiceCollection services, string name, Action<EventBusOptions> configure) =>
        Configure(Add(services, Checked(name)), configure);

    /// <summary>Registers a keyed bus and configures it from configuration.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">Its key, and the name of its options; not empty.</param>
    /// <param name="configuration">The section with its options, and those of its handlers and write-behinds; a key that is none fails the start.</param>
    /// <returns>What registers its handlers.</returns>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    public static EventBusBuilder AddEventBus(this IServiceCollection services, string name, IConfiguration configuration) =>
        Configure(Add(services, Checked(name)), configuration);

    private static EventBusBuilder Add(IServiceCollection services, string? name)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<EventBusOptions>(name).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<EventBusOptions>, EventBusOptionsValidator>());
        AddToHost(services, new BusRegistration(name));
        if (name is null)
        {
            services.TryAddSingleton(static services => Create(services, name: null));
            services.TryAddSingleton<IEventBus>(static services => services.GetRequiredService<InProcessEventBus>());
            services.TryAddSingleton<IEventPublisher>(static services => services.GetRequiredService<InProcessEventBus>());
        }
        else
        {
            services.TryAddKeyedSingleton(name, static (services, key) => Create(services, (string)key!));
            services.TryAddKeyedSingleton<IEventBus>(name, static (services, key) => services.GetRequiredKeyedService<InProcessEventBus>(key));
            services.TryAddKeyedSingleton<IEventPublisher>(
                name, static (services, key) => services.GetRequiredKeyedService<InProcessEventBus>(key));
        }

        return new EventBusBuilder(services, name);
    }

    private static void AddToHost(IServiceCollection services, BusRegistration bus)
    {
        BusRegistration[] buses = [.. services.Select(d => d.IsKeyedService ? null : d.ImplementationInstance).OfType<BusRegistration>()];
        if (buses.Contains(bus))
            return;
        services.AddSingleton(bus);

        // First in the list is first to start and last to stop, also among services that use the same stages of a host's life.
        if (buses.Length == 0)
            services.Insert(0, ServiceDescriptor.Singleton<IHostedService>(provider => new EventBusHostedService(provider, services)));
    }

    private static InProcessEventBus Create(IServiceProvider services, string? name) => new(
        services.GetRequiredService<IOptionsMonitor<EventBusOptions>>().Get(name),
        services.GetService<ILoggerFactory>(),
        services.GetService<TimeProvider>(),
        services.GetService<IMeterFactory>())
    {
        Scopes = new AttemptScopes(
            services.GetRequiredService<IServiceScopeFactory>(),
            [.. services.GetServices<FilterRegistration>().Where(f => f.Bus == name).Select(f => f.From)]),
    };

    private static EventBusBuilder Configure(EventBusBuilder builder, Action<EventBusOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.AddOptions<EventBusOptions>(builder.Name).Configure(configure);
        return builder;
    }

    private static EventBusBuilder Configure(EventBusBuilder builder, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);

        BusConfiguration configured = new(builder.Name, configuration);
        builder.Services.AddSingleton(configured);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<WriteBehindOptions>, WriteBehindConfiguration>());

        // A misspelled option would otherwise be a default that nobody asked for.
        builder.Services.AddOptions<EventBusOptions>(builder.Name)
            .Configure(_ => ConfigurationShape.ThrowIfTypes(configuration))
            .Bind(configured.OfTheBus, o => o.ErrorOnUnknownConfiguration = true)
            .Configure(options => ConfigurationShape.Complete(options, configured.OfTheBus));
        return builder;
    }

    private static string Checked(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return name;
    }
}
