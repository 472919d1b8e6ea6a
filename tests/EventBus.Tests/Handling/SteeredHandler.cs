using System.Threading.Channels;
using EventBus.Handling;

namespace EventBus.Tests.Handling;

/// <summary>A handler that a test steers: each call is seen by the test and ends when the test says so.</summary>
internal sealed class SteeredHandler
{
    private readonly Channel<Call> _calls = Channel.CreateUnbounded<Call>();

    /// <summary>The next call, which runs until it is ended.</summary>
    public Task<Call> NextAsync() => _calls.Reader.ReadAsync().Soon();

    /// <summary>Whether a call is there that was not taken yet.</summary>
    public bool HasNext => _calls.Reader.TryPeek(out _);

    public async ValueTask HandleAsync(Envelope<string> envelope, CancellationToken cancellationToken)
    {
        Call call = new(envelope, cancellationToken);
        _calls.Writer.TryWrite(call);
        await call.End.Task;
    }

    internal sealed record Call(Envelope<string> Envelope, CancellationToken Token)
    {
        public TaskCompletionSource End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Event => Envelope.Event;
    }
}

/// <summary>What tests of handlers need of a bus.</summary>
internal static class HandlerTesting
{
    public static Task WhenIdleAsync(this InProcessEventBus bus) => bus.Activity.WhenIdleAsync(CancellationToken.None).Soon();

    /// <summary>A batch handler without a container.</summary>
    public static HandlerSubscription HandleBatches(
        this InProcessEventBus bus,
        string pattern,
        Func<IReadOnlyList<Envelope<string>>, CancellationToken, ValueTask> handler,
        HandlerOptions? options = null) =>
        bus.Handle([pattern], HandlerCall<string>.ForBatch(handler), options, callerFile: "", callerLine: 0, default);
}
