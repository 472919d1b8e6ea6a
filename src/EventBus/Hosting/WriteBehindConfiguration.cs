using Microsoft.Extensions.Options;

namespace EventBus.Hosting;

/// <summary>Sets what is configured for write-behinds, after what code has set.</summary>
internal sealed class WriteBehindConfiguration(IEnumerable<WriteBehindRegistration> registered, IEnumerable<BusConfiguration> configurations)
    : IPostConfigureOptions<WriteBehindOptions>
{
    public void PostConfigure(string? name, WriteBehindOptions options)
    {
        if (registered.FirstOrDefault(r => r.OptionsName == name) is not { } registration)
            return;
        foreach (BusConfiguration configuration in configurations.Where(c => c.Bus == registration.Bus))
            configuration.Apply(registration.ConfigurationName, options);
    }
}
