using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace EventBus.Delivery;

/// <summary>The lock of a channel, or of a group of them: a spin lock, because every event goes through one.</summary>
/// <remarks>
/// <para>
/// What it guards takes nanoseconds (a slot is written or read), so that entering and leaving a general lock would cost more than the work:
/// 15 ns against 6 ns where both were measured. Not re-entrant: nothing foreign is called while it is held.
/// </para>
/// <para>
/// Whoever finds it taken looks again after some tens of nanoseconds, which is when it is free as a rule (the framework's spin lock lets
/// microseconds pass), then yields, then sleeps, so that a holder that lost its processor does not keep others burning theirs. Entering
/// never throws: a thread that is interrupted while it sleeps here is interrupted where it sleeps next.
/// </para>
/// </remarks>
internal struct Gate
{
    private const int Looks = 24;
    private const int Yields = 24;
    private int _isTaken;

    /// <summary>Enters; disposing the result leaves.</summary>
    [UnscopedRef]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Held Enter()
    {
        EnterBare();
        return new Held(ref this);
    }

    /// <summary>Enters without a scope; <see cref="Exit"/> leaves.</summary>
    /// <remarks>For the paths every event takes: a scope's clean-up keeps values from registers. Nothing may throw before the exit.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void EnterBare()
    {
        if (Interlocked.CompareExchange(ref _isTaken, 1, 0) != 0)
            EnterTaken();
    }

    /// <summary>Leaves what was entered without a scope.</summary>
    // Without a full fence: a later entry sees all that was written, which is all that is needed.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Exit() => Volatile.Write(ref _isTaken, 0);

    /// <summary>Gives a scope to what was entered without one.</summary>
    [UnscopedRef]
    public Held Scope() => new(ref this);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EnterTaken()
    {
        bool isInterrupted = false;
        for (int look = 0; ; look++)
        {
            if (Volatile.Read(ref _isTaken) == 0 && Interlocked.CompareExchange(ref _isTaken, 1, 0) == 0)
                break;
            if (look < Looks)
            {
                Thread.SpinWait(2);
            }
            else if (look < Looks + Yields)
            {
                Thread.Yield();
            }
            else
            {
                try
                {
#pragma warning disable RS0030 // There is nothing to await: it is entered from code that must not be asynchronous.
                    Thread.Sleep(1);
#pragma warning restore RS0030
                }
                catch (ThreadInterruptedException)
                {
                    isInterrupted = true;
                }
            }
        }

        if (isInterrupted)
            Thread.CurrentThread.Interrupt();
    }

    /// <summary>The gate while it is held.</summary>
    public readonly ref struct Held
    {
        private readonly ref Gate _gate;

        public Held(ref Gate gate) => _gate = ref gate;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Dispose() => _gate.Exit();
    }
}
