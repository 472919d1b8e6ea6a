using System.Diagnostics.CodeAnalysis;
using EventBus;
using EventBus.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers write-behind.</summary>
/// <remarks>
/// When the host stops, what is buffered is flushed after every other service has stopped and before the handlers do; what is published
/// later, and what the store did not take, when the container is disposed. Dispose it asynchronously, as hosts do, or nobody
/// waits for that.
/// </remarks>
public static class EventBusWriteBehindExtensions
{
    /// <summary>
    /// Registers a <see cref="WriteBehindPublisher{TEvent}"/> and its store as singletons, for a keyed bus with its key.
    /// </summary>
    /// <typeparam name="TEvent">Which events.</typeparam>
    /// <typeparam name="TStore">
    /// What stores them. Registered as a singleton, unless it is registered already; the container creates and disposes it. To store
    /// by way of scoped services, such as a database context, let it take an <see cref="IServiceScopeFactory"/>.
    /// </typeparam>
    /// <param name="builder">The bus by which events are broadcast once they are stored.</param>
    /// <param name="configure">Sets the options; null: leaves the defaults.</param>
    /// <returns>The builder, for chaining.</returns>
    /// <remarks>
    /// Options are validated when the host starts; the message names each option that is wrong, and its range. So is what the store needs: if
    /// that is not registered, the start fails with the store's name, without creating it. Calling twice with the same
    /// types is safe: there is one, configured by both calls, in order.
    /// </remarks>
    /// <exception cref="InvalidOperationException">
    /// Another store is registered for the same events of the same bus, or <typeparamref name="TStore"/> is registered as anything but a
    /// singleton.
    /// </exception>
    public static EventBusBuilder AddWriteBehind<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TStore>(
        this EventBusBuilder builder, Action<WriteBehindOptions>? configure = null)
        where TEvent : notnull
        where TStore : class, IEventStore<TEvent>
    {
        ArgumentNullException.ThrowIfNull(builder);
        IServiceCollection services = builder.Services;
        WriteBehindRegistration registration = new(builder.Name, typeof(TEvent), typeof(TStore));
        ThrowIfContradicted(services, registration);
        OptionsBuilder<WriteBehindOptions> options = services.AddOptions<WriteBehindOptions>(registration.OptionsName).ValidateOnStart();
        if (configure is not null)
            options.Configure(configure);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<WriteBehindOptions>, WriteBehindOptionsValidator>());
        services.AddSingleton(registration);
        if (builder.Name is null)
        {
            services.TryAddSingleton<TStore>();
            services.TryAddSingleton(provider => Create<TEvent>(
                provider, registration.BusIn(provider), provider.GetRequiredService<TStore>(), registration));
        }
        else
        {
            services.TryAddKeyedSingleton<TStore>(builder.Name);
            services.TryAddKeyedSingleton(builder.Name, (provider, key) => Create<TEvent>(
                provider, registration.BusIn(provider), provider.GetRequiredKeyedService<TStore>(key), registration));
        }

        return builder;
    }

    private static WriteBehindPublisher<TEvent> Create<TEvent>(
        IServiceProvider provider, InProcessEventBus bus, IEventStore<TEvent> store, WriteBehindRegistration registration)
        where TEvent : notnull => new(
            bus,
            store,
            provider.GetRequiredService<IOptionsMonitor<WriteBehindOptions>>().Get(registration.OptionsName),
            provider.GetService<TimeProvider>(),
            provider.GetService<ILoggerFactory>());

    private static void ThrowIfContradicted(IServiceCollection services, WriteBehindRegistration registration)
    {
        foreach (ServiceDescriptor service in services)
        {
            if (!service.IsKeyedService
                && service.ImplementationInstance is WriteBehindRegistration other
                && other != registration
                && other with { StoreType = registration.StoreType } == registration)
            {
                throw new InvalidOperationException(
                    $"The write-behind of {registration.OptionsName} is registered with the store {other.StoreType} already; it cannot have " +
                    $"{registration.StoreType} as well.");
            }

            if (service.ServiceType == registration.StoreType
                && Equals(service.ServiceKey, registration.Bus)
                && service.Lifetime != ServiceLifetime.Singleton)
            {
                throw new InvalidOperationException(
                    $"The store {registration.StoreType} is registered as {service.Lifetime}, but a write-behind keeps its store for good. Register " +
                    $"it as a singleton, or not at all.");
            }
        }
    }
}
