using System.Globalization;
using EventBus.Delivery;
using EventBus.Tests.Delivery;

namespace EventBus.Tests.Stress;

/// <summary>
/// A few subscriptions in one log, read by several threads at once while they fall behind, are spared, end and leave: when all is quiet the
/// pieces of the log agree with who is left. 20 rounds; more by hand: <c>STRESS_ROUNDS=30</c> runs 30 times as many.
/// </summary>
public sealed class LogStressTests
{
    private const int Rounds = 20, Threads = 3, Members = 5, Steps = 3000;

    [Fact]
    public async Task Log_ManyThreads_PiecesCountWhoHasToPassWhenAllIsQuiet()
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("STRESS_ROUNDS"), CultureInfo.InvariantCulture, out int asked) ? asked : 1;
        for (int seed = 1; seed <= Rounds * rounds; seed++)
        {
            using InProcessEventBus bus = new();
            Random random = new(seed);
            Subscription<object>[] members = [.. Enumerable.Range(0, Members).Select(_ => Subscribe(bus, random))];
            long matched = 0;
            for (int part = 0; part < 4; part++)
            {
                Task[] threads = [.. Enumerable.Range(0, Threads)
                    .Select(i => (Random: new Random((seed * 100) + (part * 10) + i), IsPublisher: i == 0))
                    .Select(t => Task.Run(() => Interlocked.Add(ref matched, Run(bus, members, t.Random, t.IsPublisher))))];
                await Task.WhenAll(threads).Soon();
                LogPieces.Check(members);
                EventBusStatistics now = bus.GetStatistics();
                (now.Delivered + now.Dropped + now.Discarded + now.Queued).Should().Be(matched, "with seed {0}", seed);

                // Some of them go, for others.
                for (int i = 0; i < Members; i++)
                {
                    if (random.Next(3) > 0)
                        continue;
                    members[i].Dispose();
                    LogPieces.Check(members);
                    members[i] = Subscribe(bus, random);
                    LogPieces.Check(members);
                }
            }

            Array.ForEach(members, m => m.Dispose());
            LogPieces.Check(members);
        }
    }

    private static long Run(InProcessEventBus bus, Subscription<object>[] members, Random random, bool publishes)
    {
        long matched = 0;
        for (int step = 0; step < Steps; step++)
        {
            Subscription<object> member = members[random.Next(Members)];
            if (publishes)
                matched += bus.Publish("t", member, random.Next(4) == 0 ? member : null).Matched;
            else if (random.Next(400) == 0)
                member.Channel.End((ChannelEnd)random.Next(2));
            else
                Read(member, random.Next(20));
        }

        return matched;
    }

    private static void Read(Subscription<object> member, int atMost)
    {
        while (atMost > 0 && member.Reader.TryRead(out _))
            atMost--;
    }

    private static Subscription<object> Subscribe(InProcessEventBus bus, Random random) => bus.Subscribe<object>(
        "t", new() { Capacity = random.Next(3) == 0 ? 1000 : random.Next(1, 20), Overflow = (OverflowPolicy)random.Next(4) });
}
