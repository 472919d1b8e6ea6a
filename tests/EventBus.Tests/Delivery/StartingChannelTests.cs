using EventBus.Delivery;
using EventBus.History;

namespace EventBus.Tests.Delivery;

/// <summary>A channel joins before its replay is worked out, and may end in between.</summary>
public sealed class StartingChannelTests : IDisposable
{
    private readonly InProcessEventBus _bus = new();
    private readonly SubscriberChannel<int> _channel;

    public StartingChannelTests()
    {
        using Subscription<int> other = _bus.Subscribe<int>("t");
        SubscriberProfile profile = new(other.Channel.Owner, [TopicPattern.Parse("t")], typeof(int), new SubscriptionOptions(), "", 0);
        _channel = new SubscriberChannel<int>(profile, 99, default);
        _channel.AwaitReplay();
    }

    public void Dispose() => _bus.Dispose();

    [Fact]
    public void Ended_BeforeTheReplayComes_FinishesWhenItIsRead()
    {
        _channel.End(ChannelEnd.Completed);
        _channel.Completion.IsCompleted.Should().BeFalse();

        _channel.Attach(ReplayOf(1, 2));

        _channel.TryRead(out Envelope<int> first).Should().BeTrue();
        _channel.TryRead(out Envelope<int> second).Should().BeTrue();
        (first.Event, second.Event).Should().Be((1, 2));
        _channel.Completion.IsCompleted.Should().BeTrue();
    }

    [Fact]
    public void Ended_BeforeAnEmptyReplayComes_FinishesWithIt()
    {
        _channel.End(ChannelEnd.Completed);
        _channel.Attach(ReplayOf());
        _channel.Completion.IsCompleted.Should().BeTrue();
    }

    [Fact]
    public void Left_BeforeTheReplayComes_Finishes()
    {
        _channel.End(ChannelEnd.Left);
        _channel.Completion.IsCompleted.Should().BeTrue();
    }

    [Fact]
    public void Left_BeforeTheReplayComes_KeepsNothingOfIt()
    {
        _channel.End(ChannelEnd.Left);

        _channel.Attach(ReplayOf(1, 2));

        _channel.Count.Should().Be(0);
    }

    private static HistoryCursor<int> ReplayOf(params int[] events)
    {
        HistoryStore history = new([new HistoryRule { Pattern = "t" }], 1, TimeProvider.System);
        EventOrigin origin = new("t");
        lock (history.Gate)
        {
            foreach (int e in events)
                history.TryAppend(0, e, origin, 0, out _).Should().BeTrue();
            return new HistoryCursor<int>(history.BeginCut(Replay.All, [TopicPattern.Parse("t")], isUse: true, 0).Finish());
        }
    }
}
