using Microsoft.Extensions.Options;

namespace EventBus.Hosting;

/// <summary>Checks the options of every bus, whatever its name, with one message for all that is wrong.</summary>
internal sealed class EventBusOptionsValidator : IValidateOptions<EventBusOptions>
{
    public ValidateOptionsResult Validate(string? name, EventBusOptions options)
    {
        string of = string.IsNullOrEmpty(name) ? "the event bus" : $"the event bus \"{name}\"";
        string[] failures = [.. options.Failures().Select(f => $"Options of {of}: {f}")];
        return failures.Length > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }
}
