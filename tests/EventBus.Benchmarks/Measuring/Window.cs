using System.Runtime.CompilerServices;

namespace EventBus.Benchmarks.Measuring;

/// <summary>
/// Keeps publishers from running further ahead than the slowest consumer's channel is long, the same for all contenders, so
/// that nothing can be lost for want of room and a missing event stops the benchmark.
/// </summary>
/// <remarks>
/// Publishers take leave to publish a step of events; a step is given back when every consumer has counted as many. Neither
/// allocates. Consumers check in once per step, so what this costs is hundredths of a nanosecond per event.
/// </remarks>
internal sealed class Window : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Consumers that have passed each step; no consumer is more steps ahead than there may be on their way.</summary>
    private readonly int[] _passed;
    private readonly SemaphoreSlim _leave;
    private readonly Counter[] _counters;
    private readonly int _steps;

    /// <param name="consumers">How many consumers there are.</param>
    /// <param name="step">Events in a step, a power of two.</param>
    /// <param name="steps">Steps that may be on their way at once, a power of two.</param>
    public Window(int consumers, int step, int steps)
    {
        Step = step;
        _steps = steps;
        _passed = new int[steps * 2];
        _leave = new SemaphoreSlim(steps);
        _counters = [.. Enumerable.Range(0, consumers).Select(_ => new Counter(this))];
    }

    public int Step { get; }

    public IReadOnlyList<Counter> Counters => _counters;

    /// <summary>Waits until there is room for one more step.</summary>
    public void Take()
    {
        if (!_leave.Wait(Patience))
            throw new LostEventException($"After {Patience.TotalSeconds} s consumers have counted only {string.Join(", ", _counters.Select(c => c.Count))}.");
    }

    /// <summary>Gives back a step that was taken and not used.</summary>
    public void Return() => _leave.Release();

    /// <summary>Waits until everything was received, and checks that each consumer got each event once.</summary>
    /// <param name="published">How many events there were, ever.</param>
    /// <param name="sum">The sum of their numbers.</param>
    public void AwaitAll(long published, long sum)
    {
        for (int i = 0; i < _steps; i++)
            Take();
        _leave.Release(_steps);
        foreach (Counter counter in _counters)
        {
            if (counter.Count != published || counter.Sum != sum)
                throw new LostEventException($"A consumer got {counter.Count} events with sum {counter.Sum}, not {published} with sum {sum}.");
        }
    }

    public void Dispose() => _leave.Dispose();

    private void Passed(long count)
    {
        ref int passed = ref _passed[(count / Step) & (_passed.Length - 1)];
        if (Interlocked.Increment(ref passed) == _counters.Length)
        {
            Volatile.Write(ref passed, 0);
            _leave.Release();
        }
    }

    /// <summary>One consumer's count and checksum. Its own object, for one thread at a time.</summary>
    internal sealed class Counter
    {
        private readonly Window _window;
        private readonly int _mask;

        public Counter(Window window)
        {
            _window = window;
            _mask = window.Step - 1;
        }

        public long Count { get; private set; }

        public long Sum { get; private set; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(long number)
        {
            Sum += number;
            if ((++Count & _mask) == 0)
                _window.Passed(Count);
        }
    }
}

/// <summary>A consumer did not get what was published: there is nothing to compare.</summary>
internal sealed class LostEventException : Exception
{
    public LostEventException(string message)
        : base(message)
    {
    }
}
