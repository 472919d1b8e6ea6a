using System.Diagnostics;

namespace EventBus.Diagnostics;

/// <summary>What metrics may tell of a subscriber without a tag value for every topic.</summary>
/// <param name="Name">The name it was given.</param>
/// <param name="Template">The first of its patterns that has a wildcard.</param>
internal readonly record struct SubscriberTags(string? Name, string? Template)
{
    public TagList ToTagList()
    {
        TagList tags = new() { { "messaging.system", BusTelemetry.System } };
        if (Name is not null)
            tags.Add("messaging.destination.subscription.name", Name);
        if (Template is not null)
            tags.Add("messaging.destination.template", Template);
        return tags;
    }
}
