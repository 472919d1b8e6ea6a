using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Primitives;

namespace EventBus.Hosting;

/// <summary>The configuration of a bus: its own options, and in two sections those of its handlers and write-behinds, by their names.</summary>
/// <param name="Bus">The bus's key; null for the bus without a key.</param>
/// <param name="Configuration">Where it is read from.</param>
internal sealed record BusConfiguration(string? Bus, IConfiguration Configuration)
{
    private const string Handlers = nameof(Handlers);
    private const string WriteBehind = nameof(WriteBehind);
    private static readonly string[] WriteBehindKeys = [.. typeof(WriteBehindOptions).GetProperties().Select(p => p.Name)];

    /// <summary>What the bus's own options are bound from: all but the two sections.</summary>
    public IConfiguration OfTheBus => new WithoutSections(Configuration);

    /// <summary>Sets what is configured for the handlers of a name.</summary>
    /// <exception cref="InvalidOperationException">Something configured is no option; the message names its path.</exception>
    public void Apply(string handler, HandlerOptions options)
    {
        IConfigurationSection section = Configuration.GetSection(Handlers).GetSection(handler);
        ThrowIfUnknown(section, "a handler", HandlerSettings.Keys);
        section.Bind(new HandlerSettings(options));
        ConfigurationShape.BindReplay(options, section);
    }

    /// <summary>Sets what is configured for the write-behinds of a name.</summary>
    /// <exception cref="InvalidOperationException">Something configured is no option; the message names its path.</exception>
    public void Apply(string writeBehind, WriteBehindOptions options)
    {
        IConfigurationSection section = Configuration.GetSection(WriteBehind).GetSection(writeBehind);
        ThrowIfUnknown(section, "a write-behind", WriteBehindKeys);
        section.Bind(options);
    }

    /// <summary>Each section that is meant for a handler or a write-behind that does not exist.</summary>
    /// <param name="handlers">The names of the bus's handlers, as far as they have any.</param>
    /// <param name="writeBehinds">The names of its write-behinds.</param>
    public IEnumerable<string> Strays(IEnumerable<string?> handlers, IEnumerable<string> writeBehinds) =>
        Strays(Configuration.GetSection(Handlers), "handler", handlers).Concat(Strays(Configuration.GetSection(WriteBehind), "write-behind", writeBehinds));

    private IEnumerable<string> Strays(IConfigurationSection sections, string kind, IEnumerable<string?> names)
    {
        string[] known = [.. names.OfType<string>().Distinct(StringComparer.OrdinalIgnoreCase).Order(StringComparer.Ordinal)];
        string of = Bus is null ? "of the bus" : $"of the bus \"{Bus}\"";
        string which = known.Length > 0 ? $"their names are {string.Join(", ", known)}" : "there is none that has a name";
        if (!string.IsNullOrEmpty(sections.Value))
            yield return $"The configuration value \"{sections.Value}\" at '{sections.Path}' should be a section for each {kind} that it configures.";
        foreach (IConfigurationSection section in sections.GetChildren())
        {
            if (!known.Contains(section.Key, StringComparer.OrdinalIgnoreCase))
                yield return $"The configuration section '{section.Path}' is for no {kind} {of}; {which}.";
        }
    }

    private static void ThrowIfUnknown(IConfigurationSection section, string owner, string[] keys)
    {
        ConfigurationShape.ThrowIfText(section, "a section of options");
        foreach (IConfigurationSection option in section.GetChildren())
        {
            if (!keys.Contains(option.Key, StringComparer.OrdinalIgnoreCase))
            {
                throw new InvalidOperationException(
                    $"The configuration key '{option.Path}' is no option of {owner} that can be configured; these are {string.Join(", ", keys.Order(StringComparer.Ordinal))}.");
            }
        }

        ConfigurationShape.ThrowIfSections(section);
    }

    private sealed class WithoutSections(IConfiguration configuration) : IConfiguration
    {
        public string? this[string key]
        {
            get => configuration[key];
            set => configuration[key] = value;
        }

        public IEnumerable<IConfigurationSection> GetChildren() => configuration.GetChildren().Where(s =>
            !s.Key.Equals(Handlers, StringComparison.OrdinalIgnoreCase) && !s.Key.Equals(WriteBehind, StringComparison.OrdinalIgnoreCase));

        public IChangeToken GetReloadToken() => configuration.GetReloadToken();

        public IConfigurationSection GetSection(string key) => configuration.GetSection(key);
    }
}
