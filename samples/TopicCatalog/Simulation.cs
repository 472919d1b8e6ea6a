using EventBus;
using EventBus.Testing;

namespace Samples.Bursts;

/// <summary>Plays a burst in no time: whenever nobody has anything left to do, the clock is turned.</summary>
internal sealed class Simulation
{
    /// <summary>No plan takes that long; one that does will never end.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);
    private readonly IEventBus _bus;
    private readonly FakeTimeProvider _clock;
    private readonly Burst _burst;
    private readonly Reflection _reflection;
    private readonly string _id;

    public Simulation(string id, IEventBus bus, FakeTimeProvider clock, WorkPlan plan)
    {
        (_id, _bus, _clock) = (id, bus, clock);
        QuestionQueue questions = new(bus, clock);
        GroundingQueue mutations = new(bus, clock);
        Tether tether = new(bus, clock, plan, questions, mutations);
        _ = new LateAnswers(bus, plan);
        _reflection = new Reflection(bus);
        _burst = new Burst(id, bus, clock, plan, item => new Agent(bus, clock, plan, questions, mutations, item), tether);
    }

    /// <summary>Runs the burst, and reflects on it: twice, and once on a burst that never was.</summary>
    public Task RunAsync() => Task.Run(async () =>
    {
        // Agents go on inside of Advance, so once handlers are idle, too, everybody waits for the clock.
        Task burst = _burst.RunAsync();
        while (!burst.IsCompleted)
        {
            await _bus.WhenIdleAsync();
            if (_clock.GetUtcNow() - _clock.Start > Longest)
                throw new InvalidOperationException($"The burst {_id} does not come to an end.");
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        await burst;
        await _bus.WhenIdleAsync();
        _reflection.Reflect(_id);
        _reflection.Reflect(_id);
        _reflection.Reflect("burst-0");
        await _bus.WhenIdleAsync();
    });
}
