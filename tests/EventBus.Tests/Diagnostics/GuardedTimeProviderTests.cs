using EventBus.Diagnostics;

namespace EventBus.Tests.Diagnostics;

/// <summary>A clock that throws is taken to stand still, and the system makes the timers that it does not.</summary>
public sealed class GuardedTimeProviderTests
{
    private readonly BrokenClock _broken = new();

    [Fact]
    public void Clock_ThatThrows_StandsStill()
    {
        TimeProvider clock = GuardedTimeProvider.From(_broken);
        DateTimeOffset now = clock.GetUtcNow();
        long timestamp = clock.GetTimestamp();
        _broken.IsBroken = true;

        (clock.GetUtcNow(), clock.GetTimestamp()).Should().Be((now, timestamp));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Timer_ThatCannotBeMadeOrChanged_GoesOffAllTheSame(bool isMade)
    {
        TaskCompletionSource wentOff = new();
        _broken.IsBroken = !isMade;
        using ITimer timer = GuardedTimeProvider.From(_broken).CreateTimer(
            _ => wentOff.TrySetResult(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _broken.IsBroken = true;

        timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan).Should().BeTrue();

        await wentOff.Task.Soon();
    }

    [Fact]
    public void Timer_ChangedAfterItsDisposal_IsNotReplaced()
    {
        ITimer timer = GuardedTimeProvider.From(_broken).CreateTimer(_ => { }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _broken.IsBroken = true;
        timer.Dispose();

        timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan).Should().BeFalse();
    }

    private sealed class BrokenClock : TimeProvider
    {
        public bool IsBroken { get; set; }

        public override DateTimeOffset GetUtcNow() => IsBroken ? throw new IOException("broken") : new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override long GetTimestamp() => IsBroken ? throw new IOException("broken") : 7;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            IsBroken ? throw new IOException("broken") : new BrokenTimer(this);

        private sealed class BrokenTimer(BrokenClock clock) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => clock.IsBroken ? throw new IOException("broken") : true;

            public void Dispose() => GC.SuppressFinalize(this);

            public ValueTask DisposeAsync() => default;
        }
    }
}
