namespace EventBus.Hosting;

/// <summary>A handler that is about to be subscribed, with its options made.</summary>
/// <remarks>Used while the host starts, by one thread.</remarks>
internal sealed class HandlerStart
{
    private readonly HandlerRegistration _handler;
    private readonly InProcessEventBus _bus;
    private readonly HandlerOptions _options;
    private readonly List<string> _faults = [];

    /// <summary>Makes the options: from the bus's defaults, what code has set, and above all what is configured.</summary>
    public HandlerStart(HandlerRegistration handler, IServiceProvider services, IEnumerable<BusConfiguration> configurations)
    {
        _handler = handler;
        _bus = handler.Bus.BusIn(services);
        _options = _bus.DefaultHandlerOptions();
        string? shared = _options.Name;
        handler.Configure?.Invoke(_options);
        Name = _options.Name is { } given && given != shared ? given : handler.ShortName;
        foreach (BusConfiguration configuration in configurations.Where(c => Name is not null && c.Bus == handler.Bus.Name))
        {
            try
            {
                configuration.Apply(Name!, _options);
            }
            catch (InvalidOperationException exception)
            {
                _faults.Add(exception.Message);
            }
        }
    }

    /// <summary>The key of the handler's bus.</summary>
    public string? Bus => _handler.Bus.Name;

    /// <summary>The name that configuration knows it by; null if it has none.</summary>
    public string? Name { get; }

    /// <summary>What keeps it from being started, each sentence naming it; empty if nothing does.</summary>
    public IEnumerable<string> FaultsWith(DependencyCheck dependencies)
    {
        IEnumerable<string> missing = _handler.HandlerType is { } type ? dependencies.FaultsOf(type) : [];
        return _faults.Concat(_options.Failures()).Concat(missing).Select(Told);
    }

    /// <summary>Subscribes it.</summary>
    /// <exception cref="InvalidOperationException">It cannot be started.</exception>
    public HandlerSubscription Subscribe()
    {
        try
        {
            return _handler.Subscribe(_bus, _options);
        }
        catch (Exception exception)
        {
            throw new InvalidOperationException(Told(exception.Message), exception);
        }
    }

    private string Told(string fault) => $"The handler {_handler} cannot be started: {fault}";
}
