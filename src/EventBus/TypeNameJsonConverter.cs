using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace EventBus;

/// <summary>
/// Writes a type to JSON as its full name (<c>System.Int32</c>), for logs and dashboards. Used by <see cref="SubscriptionInfo"/>; public
/// only so that source-generated serialisation can use it. Stateless, and safe to use from any number of threads.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class TypeNameJsonConverter : JsonConverter<Type>
{
    /// <summary>Not supported: a name says neither which assembly's type is meant, nor that it may be loaded.</summary>
    /// <param name="reader">The JSON.</param>
    /// <param name="typeToConvert">What is asked for.</param>
    /// <param name="options">How it is read.</param>
    /// <returns>Nothing.</returns>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override Type Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException(
            $"A type that was written as its name cannot be read back. Read a {nameof(SubscriptionInfo)} into a type of your own, with a " +
            $"string for {nameof(SubscriptionInfo.EventType)}.");

    /// <summary>Writes the full name, as <see cref="Type.ToString"/> gives it.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="value">The type.</param>
    /// <param name="options">How it is written.</param>
    public override void Write(Utf8JsonWriter writer, Type value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(value);
        writer.WriteStringValue(value.ToString());
    }
}
