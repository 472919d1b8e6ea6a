using System.Collections.Concurrent;
using System.Globalization;

namespace EventBus.Tests.Stress;

/// <summary>Groups of many subscriptions with the same patterns and types, of all policies and sizes, under several publishers.</summary>
/// <remarks>
/// Invariants, for every subscription there ever was: each publisher's events come in order, none twice, none that it was excepted from;
/// what is missing between two events was told by the second at the latest; one that stays is offered all there is, to the last event,
/// and one that comes and goes all that was published in between. For the bus: what was matched was delivered, dropped or
/// discarded. Nobody is left asleep beside what it has to read. What everybody has read is let go of, and so is all once everybody left.
/// </remarks>
[Collection(nameof(AloneCollection))]
public sealed class GroupStressTests
{
    /// <summary>Seeds. By hand more of them: <c>STRESS_ROUNDS=100 dotnet test --filter GroupStress</c>.</summary>
    public static TheoryData<int> Rounds { get; } = [.. Enumerable.Range(1, HowMany())];

    [Theory]
    [MemberData(nameof(Rounds))]
    public async Task Groups_WhateverHappens_AccountForEveryEvent(int seed)
    {
        using InProcessEventBus bus = NewBus();
        ConcurrentQueue<WeakReference> channels = await RunAsync(bus, seed);

        // Threads that ended the round may still have one on their stacks, where the collector finds it: they get time to leave.
        for (int i = 0; i < 50 && channels.Any(c => c.IsAlive); i++)
        {
            await Task.Yield();
            Memory.Collect();
        }

        channels.Count(c => c.IsAlive).Should().Be(0, $"seed {seed}: nothing is kept of subscriptions that left");
    }

    private static int HowMany() =>
        int.TryParse(Environment.GetEnvironmentVariable("STRESS_ROUNDS"), CultureInfo.InvariantCulture, out int asked) ? asked : 3;

    private static InProcessEventBus NewBus() => new(new EventBusOptions().KeepHistory("h:*", depth: 64));

    private static async Task<ConcurrentQueue<WeakReference>> RunAsync(InProcessEventBus bus, int seed)
    {
        GroupStressRun run = new(bus, seed);
        (await run.RunAsync()).Take(20).Should().BeEmpty($"seed {seed}");
        return run.Channels;
    }
}
