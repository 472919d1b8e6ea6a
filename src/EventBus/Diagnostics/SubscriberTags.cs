using System.Diagnostics;

namespace EventBus.Diagnostics;

/// <summary>What metrics may tell of a subscriber without a tag value for every topic.</summary>
/// <param name="Name">The name it was given; that of its handler where nothing else tells it from others.</param>
/// <param name="Template">The first of its patterns that has a wildcard.</param>
internal readonly record struct SubscriberTags(string? Name, string? Template)
{
    /// <summary>As tags of a measurement.</summary>
    /// <param name="operation">What is measured of it, where it is one of the operations of messaging.</param>
    public TagList ToTagList(string? operation = null)
    {
        TagList tags = new() { { "messaging.system", BusTelemetry.System } };
        if (operation is not null)
            tags.Add(BusTelemetry.OperationName, operation);
        if (Name is not null)
            tags.Add("messaging.destination.subscription.name", Name);
        if (Template is not null)
            tags.Add("messaging.destination.template", Template);
        return tags;
    }
}
