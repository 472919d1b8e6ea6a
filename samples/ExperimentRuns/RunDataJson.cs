using System.Text.Json;

namespace Samples.Experiments;

/// <summary>Events as they are stored.</summary>
internal static class RunDataJson
{
    // A jsonb column keeps no order of properties, so the one that names the type need not come first.
    private static readonly JsonSerializerOptions Options = new() { AllowOutOfOrderMetadataProperties = true };

    public static string Write<T>(T value) => JsonSerializer.Serialize(value, Options);

    public static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Options) ?? throw new JsonException("There is nothing.");
}
