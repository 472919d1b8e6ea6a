using System.Text.Json.Serialization;

namespace EventBus;

/// <summary>One live subscription as seen from outside, at one moment.</summary>
/// <remarks>
/// It serialises with System.Text.Json as it is: <paramref name="EventType"/> is written as its full name, and cannot be read back.
/// </remarks>
/// <param name="Id">Its number, unique within the bus.</param>
/// <param name="Name">Its name, if it was given one.</param>
/// <param name="Patterns">What it listens to.</param>
/// <param name="EventType">The type it asked for.</param>
/// <param name="Capacity">How many events may wait to be read.</param>
/// <param name="Count">How many do, unread replay and events held back by a handler included.</param>
/// <param name="Delivered">How many were taken out by the consumer.</param>
/// <param name="Dropped">How many a full channel lost.</param>
/// <param name="CreatedAt">When it began.</param>
public sealed record SubscriptionInfo(
    long Id,
    string? Name,
    IReadOnlyList<string> Patterns,
    [property: JsonConverter(typeof(TypeNameJsonConverter))] Type EventType,
    int Capacity,
    int Count,
    long Delivered,
    long Dropped,
    DateTimeOffset CreatedAt)
{
    /// <summary>All of it, for logs and debuggers.</summary>
    /// <returns>The properties and their values.</returns>
    public override string ToString() =>
        $"{nameof(SubscriptionInfo)} {{ Id = {Id}, Name = {Name}, Patterns = [{string.Join(", ", Patterns)}], EventType = {EventType}, " +
        $"Capacity = {Capacity}, Count = {Count}, Delivered = {Delivered}, Dropped = {Dropped}, CreatedAt = {CreatedAt:O} }}";
}
