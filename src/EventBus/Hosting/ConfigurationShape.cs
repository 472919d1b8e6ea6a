using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace EventBus.Hosting;

/// <summary>What the generated binding cannot do: it has no notion of <see cref="Replay"/>, and passes over a text where a section belongs.</summary>
internal static class ConfigurationShape
{
    private const string History = nameof(EventBusOptions.History);
    private const string Subscription = nameof(EventBusOptions.Subscription);

    /// <summary>Refuses what names types, before it is bound: the binding only says that it does not know it.</summary>
    /// <remarks>A type that nothing but a text names may have been trimmed away.</remarks>
    /// <exception cref="InvalidOperationException">The configuration names types; the message names its path.</exception>
    public static void ThrowIfTypes(IConfiguration configuration)
    {
        foreach (IConfigurationSection rule in configuration.GetSection(History).GetChildren())
        {
            IConfigurationSection types = rule.GetSection(nameof(HistoryRule.LatestOnly));
            if (!string.IsNullOrEmpty(types.Value) || types.GetChildren().Any())
            {
                throw new InvalidOperationException(
                    $"The configuration at '{types.Path}' names types, which only code can. Set {nameof(HistoryRule.LatestOnly)} of the rule " +
                    "in a further AddEventBus(options => …), which sees the rules that are configured.");
            }
        }
    }

    /// <summary>Binds what is left to bind of a bus's options, and refuses what would be passed over.</summary>
    /// <exception cref="InvalidOperationException">The configuration has a value that is no option; the message names its path.</exception>
    public static void Complete(EventBusOptions options, IConfiguration configuration)
    {
        ThrowIfText(configuration.GetSection(History), "a list of rules, each a section with a Pattern");
        ThrowIfText(configuration.GetSection(Subscription), "a section of options");
        foreach (IConfigurationSection rule in configuration.GetSection(History).GetChildren())
        {
            ThrowIfText(rule, "a rule: a section with a Pattern");
            ThrowIfSections(rule);
        }

        ThrowIfSections(configuration, History, Subscription);
        ThrowIfSections(configuration.GetSection(Subscription));
        BindReplay(options.Subscription, configuration.GetSection(Subscription));
    }

    /// <summary>Binds the one option of a subscription that is left to bind.</summary>
    /// <exception cref="InvalidOperationException">It is none; the message names its path.</exception>
    public static void BindReplay(SubscriptionOptions options, IConfiguration configuration)
    {
        IConfigurationSection replay = configuration.GetSection(nameof(SubscriptionOptions.Replay));
        if (!string.IsNullOrEmpty(replay.Value) || replay.GetChildren().Any())
            options.Replay = ParseReplay(replay);
    }

    /// <summary>Refuses a text where a section belongs.</summary>
    /// <exception cref="InvalidOperationException">It is a text; the message names its path.</exception>
    public static void ThrowIfText(IConfigurationSection section, string expected)
    {
        if (!string.IsNullOrEmpty(section.Value))
            throw new InvalidOperationException($"The configuration value \"{section.Value}\" at '{section.Path}' should be {expected}.");
    }

    /// <summary>Refuses a section where a value belongs.</summary>
    /// <param name="options">The section of the options.</param>
    /// <param name="sections">The options that are sections.</param>
    /// <exception cref="InvalidOperationException">One of the options is a section; the message names its path.</exception>
    public static void ThrowIfSections(IConfiguration options, params ReadOnlySpan<string> sections)
    {
        foreach (IConfigurationSection option in options.GetChildren())
        {
            if (option.GetChildren().Any() && !sections.Contains(option.Key, StringComparer.OrdinalIgnoreCase))
                throw new InvalidOperationException($"The configuration at '{option.Path}' is a section, and should be the value of an option.");
        }
    }

    private static Replay ParseReplay(IConfigurationSection section)
    {
        ReadOnlySpan<char> text = section.Value.AsSpan().Trim();
        if (text.Equals("None", StringComparison.OrdinalIgnoreCase))
            return Replay.None;
        if (text.Equals("All", StringComparison.OrdinalIgnoreCase))
            return Replay.All;
        if (TryParseArgument(text, "Last(", out long count) && count <= int.MaxValue)
            return Replay.Last((int)count);
        if (TryParseArgument(text, "After(", out long sequence))
            return Replay.After(sequence);
        throw new InvalidOperationException(
            $"The configuration value \"{section.Value}\" at '{section.Path}' should be None, All, Last(count) or After(sequence).");
    }

    private static bool TryParseArgument(ReadOnlySpan<char> text, string start, out long argument)
    {
        argument = 0;
        return text.StartsWith(start, StringComparison.OrdinalIgnoreCase)
            && text.EndsWith(")", StringComparison.Ordinal)
            && long.TryParse(text[start.Length..^1], NumberStyles.None, CultureInfo.InvariantCulture, out argument);
    }
}
