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
    public required Func<InProcessEventBus, IServiceProvider, HandlerOptions, HandlerSubscription> Subscribe { get; init; }

    /// <summary>Makes the options from the bus's defaults and the user's wishes.</summary>
    public HandlerOptions OptionsFor(InProcessEventBus bus)
    {
        HandlerOptions options = bus.DefaultHandlerOptions();
        Configure?.Invoke(options);
        return options;
    }

    /// <summary>What keeps the handler from being started, each sentence naming it; empty if nothing does.</summary>
    public IEnumerable<string> FaultsWith(HandlerOptions options, DependencyCheck dependencies)
    {
        IEnumerable<string> faults = HandlerType is null ? [] : dependencies.FaultsOf(HandlerType);
        return options.Failures().Concat(faults).Select(f => $"The handler {this} cannot be started: {f}");
    }

    /// <summary>For messages.</summary>
    /// <returns>The handler, its patterns and its bus.</returns>
    public override string ToString()
    {
        string patterns = string.Join(", ", Patterns.Select(p => $"\"{p}\""));
        return Bus.Name is null ? $"{Handler} of {patterns}" : $"{Handler} of {patterns} on the bus \"{Bus.Name}\"";
    }
}
