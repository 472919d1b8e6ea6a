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
/// A synchronization context or a scheduler is asked from a thread of the pool: one that posts inline then holds up nobody, and what one
/// throws (its window is closed) reaches nobody. As safe to share as <see cref="ManualResetValueTaskSourceCore{TResult}"/>, which it wraps.
/// </remarks>
[StructLayout(LayoutKind.Auto)]
internal struct ContainedSource<TResult>
{
    // Not readonly: it is what changes.
    private ManualResetValueTaskSourceCore<TResult> _core;
    private readonly ILogger _logger;

    /// <summary>Creates a source.</summary>
    /// <param name="logger">Told of contexts that fail.</param>
    /// <param name="completedOnPool">Whether it is always completed by a thread of the pool, so that another one need not be asked for.</param>
    public ContainedSource(ILogger logger, bool completedOnPool = false)
    {
        _logger = logger;
        _core = new ManualResetValueTaskSourceCore<TResult> { RunContinuationsAsynchronously = !completedOnPool };
    }

    public readonly short Version => _core.Version;

    public void Reset() => _core.Reset();

    public void SetResult(TResult result) => _core.SetResult(result);

    public void SetException(Exception exception) => _core.SetException(exception);

    public TResult GetResult(short token) => _core.GetResult(token);

    public readonly ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        if (flags.HasFlag(ValueTaskSourceOnCompletedFlags.UseSchedulingContext)
            && PostedContinuation.TryMake(continuation, state, _logger) is { } posted)
        {
            (continuation, state) = (PostedContinuation.Post, posted);
        }

        _core.OnCompleted(continuation, state, token, flags & ~ValueTaskSourceOnCompletedFlags.UseSchedulingContext);
    }

    /// <summary>What is to go on in a context of the user's.</summary>
    private sealed class PostedContinuation(Action<object?> continuation, object? state, object context, ILogger logger)
    {
        /// <summary>Asks the context; on a thread of the pool.</summary>
        public static readonly Action<object?> Post = static posted => ((PostedContinuation)posted!).PostOrLog();

        /// <summary>Null if it may go on anywhere.</summary>
        public static PostedContinuation? TryMake(Action<object?> continuation, object? state, ILogger logger)
        {
            object? context = SynchronizationContext.Current is { } current && current.GetType() != typeof(SynchronizationContext) ? current
                : TaskScheduler.Current != TaskScheduler.Default ? TaskScheduler.Current
                : null;
            return context is null ? null : new PostedContinuation(continuation, state, context, logger);
        }

        private void PostOrLog()
        {
            try
            {
                if (context is SynchronizationContext synchronization)
                    synchronization.Post(static posted => ((PostedContinuation)posted!).GoOn(), this);
                else
                    _ = Task.Factory.StartNew(GoOn, CancellationToken.None, TaskCreationOptions.DenyChildAttach, (TaskScheduler)context);
            }
            catch (Exception exception)
            {
                // It is not run elsewhere instead: it asked for this context, and may be safe in no other.
                Log.ContextFailed(logger, exception, context.GetType().ToString());
            }
        }

        private void GoOn() => continuation(state);
    }
}
