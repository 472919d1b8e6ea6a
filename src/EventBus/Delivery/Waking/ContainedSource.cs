using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using EventBus.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Delivery;

/// <summary>
/// What completes a <see cref="ValueTask{TResult}"/> for code of the user's that awaits it, so that none of that code, nor of the context it is
/// to go on in, runs on the thread that completes it: that may be a publisher's.
/// </summary>
/// <remarks>
/// <para>
/// A synchronization context or a scheduler is asked from a thread of the pool: one that posts inline then holds up nobody, and what one
/// throws (its window is closed) reaches nobody. As safe to share as <see cref="ManualResetValueTaskSourceCore{TResult}"/>, which it wraps.
/// </para>
/// <para>
/// What goes on is kept here, and who is waited for is itself what the pool runs: the core would allocate a work item for all but the
/// framework's own state machines.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Auto)]
internal struct ContainedSource<TResult>
{
    private static readonly Action<object?> GoOnOnPool = static owner => ((ReadWait)owner!).GoOn();

    // Not readonly: it is what changes.
    private ManualResetValueTaskSourceCore<TResult> _core;
    private readonly ILogger _logger;

    /// <summary>What goes on, and with what; written before the core is told that something waits.</summary>
    private Action<object?>? _continuation;
    private object? _state;

    /// <summary>Creates a source.</summary>
    /// <param name="logger">Told of contexts that fail.</param>
    public ContainedSource(ILogger logger) => _logger = logger;

    public readonly short Version => _core.Version;

    public void Reset() => _core.Reset();

    public void SetResult(TResult result) => _core.SetResult(result);

    public void SetException(Exception exception) => _core.SetException(exception);

    public TResult GetResult(short token) => _core.GetResult(token);

    public readonly ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    /// <param name="continuation">What goes on.</param>
    /// <param name="state">With what.</param>
    /// <param name="token">The wait.</param>
    /// <param name="flags">Where it goes on.</param>
    /// <param name="owner">
    /// What the pool runs, and what calls <see cref="GoOn"/> then; null if the source is always completed by a thread of the pool, so that
    /// another one need not be asked for.
    /// </param>
    public void OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags, ReadWait? owner)
    {
        if (flags != ValueTaskSourceOnCompletedFlags.None && PostedContinuation.TryMake(continuation, state, flags, _logger) is { } posted)
            (continuation, state) = (PostedContinuation.Post, posted);
        if (owner is not null)
        {
            // Before anything is kept: a wait that is over, or awaited already, must not harm the one that is under way.
            _ = _core.GetStatus(token);
            if (_continuation is not null)
                throw new InvalidOperationException("This wait is awaited already: await each once.");
            (_continuation, _state) = (continuation, state);
            (continuation, state) = (GoOnOnPool, owner);
        }

        _core.OnCompleted(continuation, state, token, ValueTaskSourceOnCompletedFlags.None);
    }

    /// <summary>Goes on; on a thread of the pool.</summary>
    public void GoOn()
    {
        (Action<object?> continuation, object? state) = (_continuation!, _state);
        (_continuation, _state) = (null, null);
        continuation(state);
    }

    /// <summary>What is to go on in a context of the user's, or with the flow of execution of whoever waits.</summary>
    private sealed class PostedContinuation(
        Action<object?> continuation, object? state, object? context, ExecutionContext? flow, ILogger logger)
    {
        /// <summary>Asks the context; on a thread of the pool.</summary>
        public static readonly Action<object?> Post = static posted => ((PostedContinuation)posted!).PostOrLog();

        /// <summary>Null if it may go on anywhere.</summary>
        public static PostedContinuation? TryMake(
            Action<object?> continuation, object? state, ValueTaskSourceOnCompletedFlags flags, ILogger logger)
        {
            object? context = !flags.HasFlag(ValueTaskSourceOnCompletedFlags.UseSchedulingContext) ? null
                : SynchronizationContext.Current is { } current && current.GetType() != typeof(SynchronizationContext) ? current
                : TaskScheduler.Current != TaskScheduler.Default ? TaskScheduler.Current
                : null;
            ExecutionContext? flow = flags.HasFlag(ValueTaskSourceOnCompletedFlags.FlowExecutionContext) ? ExecutionContext.Capture() : null;
            return context is null && flow is null ? null : new PostedContinuation(continuation, state, context, flow, logger);
        }

        private void PostOrLog()
        {
            try
            {
                if (context is SynchronizationContext synchronization)
                {
                    synchronization.Post(static posted => ((PostedContinuation)posted!).GoOn(), this);
                    return;
                }

                if (context is TaskScheduler scheduler)
                {
                    _ = Task.Factory.StartNew(GoOn, CancellationToken.None, TaskCreationOptions.DenyChildAttach, scheduler);
                    return;
                }
            }
            catch (Exception exception)
            {
                // It is not run elsewhere instead: it asked for this context, and may be safe in no other.
                Log.ContextFailed(logger, exception, context!.GetType().ToString());
                return;
            }

            GoOn();
        }

        private void GoOn()
        {
            if (flow is null)
                continuation(state);
            else
                ExecutionContext.Run(flow, static posted => ((PostedContinuation)posted!).GoOnInFlow(), this);
        }

        private void GoOnInFlow() => continuation(state);
    }
}
