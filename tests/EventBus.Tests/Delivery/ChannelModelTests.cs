using EventBus.Testing;
using FsCheck;
using FsCheck.Fluent;

namespace EventBus.Tests.Delivery;

/// <summary>A subscription's channel against a model that is as simple as the contract: random steps, and both must agree after each.</summary>
public sealed class ChannelModelTests
{
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(10);

    /// <summary>What can happen to a channel; weights make full channels and waiting publishers common, and ends rare.</summary>
    private enum Step
    {
        Publish,
        PublishAsync,
        Read,
        Peek,
        TurnClock,
        CancelFirst,
        CancelLast,
        Complete,
        Dispose,
    }

    [Fact]
    public void Channel_AnySteps_AgreesWithTheModel()
    {
        Gen<Step> step = Gen.Frequency(
            (30, Gen.Constant(Step.Publish)),
            (30, Gen.Constant(Step.PublishAsync)),
            (35, Gen.Constant(Step.Read)),
            (5, Gen.Constant(Step.Peek)),
            (12, Gen.Constant(Step.TurnClock)),
            (5, Gen.Constant(Step.CancelFirst)),
            (5, Gen.Constant(Step.CancelLast)),
            (1, Gen.Constant(Step.Complete)),
            (1, Gen.Constant(Step.Dispose)));
        Gen<Scenario> scenarios =
            from overflow in Gen.Elements(Enum.GetValues<OverflowPolicy>())
            from capacity in Gen.Elements(1, 2, 3, 5, 9)
            from waits in Gen.Frequency((4, Gen.Constant(true)), (1, Gen.Constant(false)))
            from steps in Gen.ListOf(step, 60)
            select new Scenario(overflow, capacity, waits, [.. steps]);

        // A failure prints the scenario, shrunk by its steps, and the seed to run it again.
        Prop.ForAll(Arb.From(scenarios, Shrink), Agrees).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    private static IEnumerable<Scenario> Shrink(Scenario scenario) =>
        Enumerable.Range(0, scenario.Steps.Length).Select(i => scenario with { Steps = [.. scenario.Steps[..i], .. scenario.Steps[(i + 1)..]] });

    private static void Agrees(Scenario scenario)
    {
        FakeTimeProvider time = new();
        using InProcessEventBus bus = new(timeProvider: time);
        using Subscription<int> subscription = bus.Subscribe<int>(
            "t",
            new()
            {
                Capacity = scenario.Capacity,
                Overflow = scenario.Overflow,
                WaitTimeout = scenario.Waits ? WaitTimeout : TimeSpan.Zero,
            });
        ChannelModel model = new(scenario.Overflow, scenario.Capacity, scenario.Waits ? WaitTimeout : TimeSpan.Zero);
        List<(Task<PublishResult> Task, CancellationTokenSource Cancel, ModelPublish Model)> publishes = [];
        for (int at = 0; at < scenario.Steps.Length; at++)
        {
            Step step = scenario.Steps[at];
            string where = $"after step {at}, {step}";
            var waiting = publishes.Where(p => p.Model.IsWaiting).ToList();
            switch (step)
            {
                case Step.Publish:
                    PublishResult result = bus.Publish("t", at);
                    model.Offer(at, mayWait: false).Result.Should().Be(result, where);
                    break;
                case Step.PublishAsync:
                    CancellationTokenSource cancel = new();
                    publishes.Add((bus.PublishAsync("t", at, cancel.Token).AsTask(), cancel, model.Offer(at, mayWait: true)));
                    break;
                case Step.Read:
                    (int, long)? read = subscription.Reader.TryRead(out Envelope<int> taken) ? (taken.Event, taken.Missed) : null;
                    read.Should().Be(model.Read(), where);
                    break;
                case Step.Peek:
                    (int, long)? peeked = subscription.Reader.TryPeek(out Envelope<int> first) ? (first.Event, first.Missed) : null;
                    peeked.Should().Be(model.Peek(), where);
                    break;
                case Step.TurnClock:
                    time.Advance(WaitTimeout / 3);
                    model.TurnClock(WaitTimeout / 3);
                    break;
                case Step.CancelFirst when waiting.Count > 0:
                    waiting[0].Cancel.Cancel();
                    model.Cancel(waiting[0].Model);
                    break;
                case Step.CancelLast when waiting.Count > 0:
                    waiting[^1].Cancel.Cancel();
                    model.Cancel(waiting[^1].Model);
                    break;
                case Step.Complete:
                    bus.Complete("t").Should().Be(model.IsOpen, where);
                    model.Complete();
                    break;
                case Step.Dispose:
                    subscription.Dispose();
                    model.Leave();
                    break;
            }

            subscription.Count.Should().Be(model.Count, where);
            subscription.Dropped.Should().Be(model.Dropped, where);
            subscription.Delivered.Should().Be(model.Delivered, where);
            bus.HasSubscribers("t").Should().Be(model.IsOpen, where);
            subscription.Completion.IsCompleted.Should().Be(model.IsFinished, where);
            bus.GetStatistics().Discarded.Should().Be(model.Discarded, where);
            publishes.Select(p => p.Task.IsCompleted).Should().Equal(publishes.Select(p => !p.Model.IsWaiting), where);
            publishes.Select(p => p.Task.IsCanceled).Should().Equal(publishes.Select(p => p.Model.IsCancelled), where);
            foreach ((Task<PublishResult> task, _, ModelPublish published) in publishes)
            {
                if (task.IsCompletedSuccessfully)
                    task.GetAwaiter().GetResult().Should().Be(published.Result, where);
            }
        }

        time.ScheduledTimers.Should().Be(publishes.Count(p => p.Model.IsWaiting), "each that waits has one timer, and nobody else");
    }

    private sealed record Scenario(OverflowPolicy Overflow, int Capacity, bool Waits, Step[] Steps)
    {
        public override string ToString() => $"{Overflow}, capacity {Capacity}, {(Waits ? "waiting" : "not waiting")}: {string.Join(", ", Steps)}";
    }
}
