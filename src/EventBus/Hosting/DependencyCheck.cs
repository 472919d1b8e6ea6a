using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Hosting;

/// <summary>Finds out whether the container can create a service, without creating it.</summary>
/// <remarks>
/// It follows constructors down to instances and factories, which it takes on trust, as it does parameters that depend on a generic
/// argument. Whether a service is known at all is the container's word, so that containers with rules of their own are not second-guessed.
/// Each registration is looked at once, however many ways lead to it; what is wrong with it is told once for each handler that needs it.
/// </remarks>
internal sealed class DependencyCheck(IServiceCollection registered, IServiceProviderIsService? known)
{
    private readonly ILookup<Type, ServiceDescriptor> _registered = registered.ToLookup(d => d.ServiceType);

    /// <summary>What was found out about a registration, which depends on whether a singleton would keep what it needs.</summary>
    private readonly Dictionary<(ServiceDescriptor Descriptor, bool IsCaptured), string[]> _faults = [];

    /// <summary>What is being looked at, from the handler down: a class that comes up again needs itself.</summary>
    private readonly List<Type> _path = [];

    /// <summary>What keeps a service from being created; empty if nothing does.</summary>
    public string[] FaultsOf(Type service, object? key = null)
    {
        ServiceDescriptor? descriptor = Find(service, key);
        return known is null || descriptor is null ? [] : FaultsOf(descriptor, isCaptured: descriptor.Lifetime == ServiceLifetime.Singleton);
    }

    private string[] FaultsOf(ServiceDescriptor descriptor, bool isCaptured)
    {
        Type? type = ImplementationOf(descriptor);
        if (type is null)
            return [];
        if (_path.Contains(type))
            return [$"{type} needs itself, by way of {string.Join(", ", _path.SkipWhile(t => t != type).Skip(1).Append(type))}."];
        if (_faults.TryGetValue((descriptor, isCaptured), out string[]? faults))
            return faults;
        _path.Add(type);
        faults = FaultsOfConstructors(type, descriptor, isCaptured);
        _path.RemoveAt(_path.Count - 1);
        _faults.Add((descriptor, isCaptured), faults);
        return faults;
    }

    /// <summary>The faults of the constructor that has the fewest: the container takes one that has none.</summary>
    private string[] FaultsOfConstructors(
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] Type type, ServiceDescriptor descriptor, bool isCaptured)
    {
        string[]? fewest = null;
        foreach (ConstructorInfo constructor in type.GetConstructors())
        {
            string[] faults = [.. constructor.GetParameters().SelectMany(p => FaultsOf(p, type, descriptor, isCaptured)).Distinct()];
            if (fewest is null || faults.Length < fewest.Length)
                fewest = faults;
        }

        return fewest ?? [$"{type} has no public constructor."];
    }

    private IEnumerable<string> FaultsOf(ParameterInfo parameter, Type owner, ServiceDescriptor ownerDescriptor, bool isCaptured)
    {
        Type service = parameter.ParameterType;
        if (service.ContainsGenericParameters || parameter.IsDefined(typeof(ServiceKeyAttribute)))
            return [];
        object? key = KeyOf(parameter, ownerDescriptor);
        if (!IsKnown(service, key))
        {
            string what = key is null ? $"{service}" : $"{service} with the key \"{key}\"";
            return parameter.HasDefaultValue ? [] : [$"{owner} needs {what} (parameter \"{parameter.Name}\"), which is not registered."];
        }

        if (service.IsConstructedGenericType && service.GetGenericTypeDefinition() == typeof(IEnumerable<>))
            return FindAll(service.GenericTypeArguments[0], key).SelectMany(d => FaultsOf(d, isCaptured: false));
        if (Find(service, key) is not { } descriptor)
            return [];
        if (isCaptured && descriptor.Lifetime == ServiceLifetime.Scoped)
            return [$"{owner} would keep the scoped {service} (parameter \"{parameter.Name}\") for ever, as it is kept by a singleton."];
        return FaultsOf(descriptor, isCaptured && descriptor.Lifetime == ServiceLifetime.Transient);
    }

    [return: DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)]
    private static Type? ImplementationOf(ServiceDescriptor descriptor) =>
        descriptor.IsKeyedService ? descriptor.KeyedImplementationType : descriptor.ImplementationType;

    private static object? KeyOf(ParameterInfo parameter, ServiceDescriptor owner)
    {
        FromKeyedServicesAttribute? from = parameter.GetCustomAttribute<FromKeyedServicesAttribute>();
        return from?.LookupMode == ServiceKeyLookupMode.InheritKey ? owner.ServiceKey : from?.Key;
    }

    private bool IsKnown(Type service, object? key) => key is null
        ? known!.IsService(service)
        : known is IServiceProviderIsKeyedService keyed && keyed.IsKeyedService(service, key);

    /// <summary>The registration that the container takes: the last; an open generic one only if there is no other.</summary>
    private ServiceDescriptor? Find(Type service, object? key) => FindAll(service, key).LastOrDefault();

    private IEnumerable<ServiceDescriptor> FindAll(Type service, object? key)
    {
        IEnumerable<ServiceDescriptor> exact = _registered[service].Where(d => HasKey(d, key));
        if (!service.IsConstructedGenericType || exact.Any())
            return exact;
        Type definition = service.GetGenericTypeDefinition();
        return _registered[definition].Where(d => HasKey(d, key));
    }

    private static bool HasKey(ServiceDescriptor descriptor, object? key) =>
        Equals(descriptor.ServiceKey, key) || (key is not null && descriptor.ServiceKey == KeyedService.AnyKey);
}
