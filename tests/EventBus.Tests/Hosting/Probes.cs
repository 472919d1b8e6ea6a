using System.Collections.Concurrent;

namespace EventBus.Tests.Hosting;

/// <summary>What the handlers of one test saw; registered as a singleton.</summary>
internal sealed class Seen
{
    private int _scopesBegun;
    private int _scopesEnded;
    private int _handlersCreated;

    public ConcurrentQueue<string> Events { get; } = new();

    public ConcurrentQueue<string[]> Batches { get; } = new();

    /// <summary>The scope of every call.</summary>
    public ConcurrentQueue<ScopeProbe> Scopes { get; } = new();

    public int ScopesBegun => _scopesBegun;

    public int ScopesEnded => _scopesEnded;

    public int HandlersCreated => _handlersCreated;

    /// <summary>What a handler does with its event; nothing by default.</summary>
    public Func<string, CancellationToken, ValueTask> OnEvent { get; set; } = (_, _) => default;

    public void ScopeBegun() => Interlocked.Increment(ref _scopesBegun);

    public void ScopeEnded() => Interlocked.Increment(ref _scopesEnded);

    public void HandlerCreated() => Interlocked.Increment(ref _handlersCreated);
}

/// <summary>A scoped service that can only be disposed asynchronously.</summary>
internal sealed class ScopeProbe : IAsyncDisposable
{
    private readonly Seen _seen;

    public ScopeProbe(Seen seen)
    {
        _seen = seen;
        seen.ScopeBegun();
    }

    public bool IsDisposed { get; private set; }

    public ValueTask DisposeAsync()
    {
        IsDisposed = true;
        _seen.ScopeEnded();
        return default;
    }
}

/// <summary>Handles each event in a scope of its own.</summary>
internal sealed class ProbingHandler : IEventHandler<string>, IEventHandler<int>
{
    private readonly Seen _seen;
    private readonly ScopeProbe _scope;

    public ProbingHandler(Seen seen, ScopeProbe scope)
    {
        (_seen, _scope) = (seen, scope);
        seen.HandlerCreated();
    }

    public async ValueTask HandleAsync(Envelope<string> envelope, CancellationToken cancellationToken)
    {
        _seen.Scopes.Enqueue(_scope);
        await _seen.OnEvent(envelope.Event, cancellationToken);
        _scope.IsDisposed.Should().BeFalse();
        _seen.Events.Enqueue(envelope.Event);
    }

    public ValueTask HandleAsync(Envelope<int> envelope, CancellationToken cancellationToken)
    {
        _seen.Events.Enqueue($"number {envelope.Event}");
        return default;
    }
}

/// <summary>Handles batches, each in a scope of its own.</summary>
internal sealed class ProbingBatchHandler(Seen seen, ScopeProbe scope) : IBatchEventHandler<string>
{
    public async ValueTask HandleAsync(IReadOnlyList<Envelope<string>> batch, CancellationToken cancellationToken)
    {
        seen.Scopes.Enqueue(scope);
        await seen.OnEvent(string.Join(",", batch.Select(e => e.Event)), cancellationToken);
        seen.Batches.Enqueue([.. batch.Select(e => e.Event)]);
    }
}
