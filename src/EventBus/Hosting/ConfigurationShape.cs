using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace EventBus.Hosting;

/// <summary>What the generated binding cannot do: it has no notion of <see cref="Replay"/>, and passes over a text where a section belongs.</summary>
internal static class ConfigurationShape
{
    private const string History = nameof(EventBusOptions.History);
    private const string Subscription = nameof(EventBusOptions.Subscription);

    /// <summary>Binds what is left to bind, and refuses what would be passed over.</summary>
    /// <exception cref="InvalidOperationException">The configuration has a value that is no option; the message names its path.</exception>
    public static void Complete(EventBusOptions options, IConfiguration configuration)
    {
        ThrowIfText(configuration.GetSection(History), "a list of rules, each a section with a Pattern");
        ThrowIfText(configuration.GetSection(Subscription), "a section of options");
        foreach (IConfigurationSection rule in configuration.GetSection(History).GetChildren())
            ThrowIfText(rule, "a rule: a section with a Pattern");
        IConfigurationSection replay = configuration.GetSection(Subscription).GetSection(nameof(SubscriptionOptions.Replay));
        if (!string.IsNullOrEmpty(replay.Value) || replay.GetChildren().Any())
            options.Subscription.Replay = ParseReplay(replay);
    }

    private static void ThrowIfText(IConfigurationSection section, string expected)
    {
        if (!string.IsNullOrEmpty(section.Value))
            throw new InvalidOperationException($"The configuration value \"{section.Value}\" at '{section.Path}' should be {expected}.");
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
