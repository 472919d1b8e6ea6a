namespace EventBus.Tests.Handling;

/// <summary>A filter that is a delegate.</summary>
internal sealed class TestFilter(Func<HandlerContext, Func<CancellationToken, ValueTask>, CancellationToken, ValueTask> invoke) : IHandlerFilter
{
    /// <summary>A filter that tells when it is entered and left.</summary>
    public static TestFilter Telling(string name, List<string> told) => new(async (_, next, cancellationToken) =>
    {
        told.Add($"{name} in");
        try
        {
            await next(cancellationToken);
        }
        finally
        {
            told.Add($"{name} out");
        }
    });

    public ValueTask InvokeAsync(HandlerContext context, Func<CancellationToken, ValueTask> next, CancellationToken cancellationToken) =>
        invoke(context, next, cancellationToken);
}
