namespace EventBus.Hosting;

/// <summary>A handler that is to be subscribed when the host starts.</summary>
internal sealed class HandlerRegistration
{
    /// <summary>The bus it listens to.</summary>
    public required BusRegistration Bus { get; init; }

    /// <summary>The handler's type or method, for messages.</summary>
    public required string Handler { get; init; }

    /// <summary>What it listens to; valid.</summary>
    public required string[] Patterns { get; init; }

    /// <summary>The type that the container creates for every delivery; null for a delegate.</summary>
    public required Type? HandlerType { get; init; }

    /// <summary>The user's options; null if the defaults are fine.</summary>
    public required Action<HandlerOptions>? Configure { get; init; }

    /// <summary>Subscribes the handler, given its options.</summary>
    public required Func<InProcessEventBus, HandlerOptions, HandlerSubscription> Subscribe { get; init; }

    /// <summary>The class's name without its namespace, which it goes by unless it is given another; null for a delegate.</summary>
    public string? ShortName => HandlerType?.Name.Split('`')[0];

    /// <summary>For messages.</summary>
    /// <returns>The handler, its patterns and its bus.</returns>
    public override string ToString()
    {
        string patterns = string.Join(", ", Patterns.Select(p => $"\"{p}\""));
        return Bus.Name is null ? $"{Handler} of {patterns}" : $"{Handler} of {patterns} on the bus \"{Bus.Name}\"";
    }
}
