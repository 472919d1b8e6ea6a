using System.Collections.Concurrent;

namespace EventBus.Tests.Stress;

public sealed class HandlerStressTests
{
    /// <summary>Invariant: each topic's events are handled one at a time and in order, none is lost, none comes twice.</summary>
    [Fact]
    public async Task PerTopicOrder_UnderSixteenTopicsAndEightWorkers()
    {
        const int Topics = 16, Events = 100_000;
        await using InProcessEventBus bus = new();
        int[] next = new int[Topics];
        int[] running = new int[Topics];
        ConcurrentQueue<string> broken = new();
        HandlerSubscription subscription = bus.Handle<(int Topic, int Number)>(
            "topic:*",
            async (e, _) =>
            {
                (int topic, int number) = e.Event;
                if (Interlocked.Increment(ref running[topic]) != 1)
                    broken.Enqueue($"{e.Event} beside another");
                if (number % 64 == 0)
                    await Task.Yield();
                if (next[topic]++ != number)
                    broken.Enqueue($"{e.Event} out of order");
                Interlocked.Decrement(ref running[topic]);
            },
            new HandlerOptions { MaxConcurrency = 8, Capacity = 256, WaitTimeout = TimeSpan.FromMinutes(5) });

        await Task.WhenAll(Enumerable.Range(0, Topics).Select(topic => Task.Run(async () =>
        {
            string name = $"topic:{topic}";
            for (int number = 0; number < Events / Topics; number++)
                (await bus.PublishAsync(name, (topic, number))).Dropped.Should().Be(0);
        }))).WaitAsync(TimeSpan.FromMinutes(4));
        await subscription.DrainAsync().AsTask().WaitAsync(TimeSpan.FromMinutes(1));

        broken.Should().BeEmpty();
        next.Should().OnlyContain(n => n == Events / Topics);
        subscription.Count.Should().Be(0);
    }

    /// <summary>Invariant: what was matched is handled, dropped, discarded or reported as left, whenever the handler is disposed.</summary>
    [Theory]
    [InlineData(1, HandlerOrder.PerTopic)]
    [InlineData(4, HandlerOrder.PerTopic)]
    [InlineData(4, HandlerOrder.None)]
    public async Task DisposeUnderLoad_LosesTrackOfNothing(int concurrency, HandlerOrder order)
    {
        for (int round = 0; round < 200; round++)
        {
            await using InProcessEventBus bus = new();
            int handled = 0;
            HandlerSubscription subscription = bus.Handle<int>(
                "#",
                async (e, _) =>
                {
                    if (e.Event % 7 == 0)
                        await Task.Yield();
                    Interlocked.Increment(ref handled);
                },
                new HandlerOptions { MaxConcurrency = concurrency, Order = order, Capacity = 32 });
            long matched = 0;
            Task publishing = Task.Run(() =>
            {
                for (int i = 0; i < 500; i++)
                    matched += bus.Publish(i % 2 == 0 ? "a" : "b", i).Matched;
            });
            while (Volatile.Read(ref handled) < round % 50 && !publishing.IsCompleted)
                await Task.Yield();
            subscription.Dispose();
            await Task.WhenAll(publishing, subscription.Completion).Soon();

            EventBusStatistics statistics = bus.GetStatistics();
            statistics.Queued.Should().Be(0);
            (statistics.Delivered + statistics.Dropped + statistics.Discarded).Should().Be(matched);
            statistics.Delivered.Should().Be(handled);
        }
    }
}
