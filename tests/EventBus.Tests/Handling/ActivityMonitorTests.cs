using EventBus.Handling;

namespace EventBus.Tests.Handling;

/// <summary>What threads do only now and then, played out: an event goes from one to the other between the looks at them.</summary>
public sealed class ActivityMonitorTests
{
    private readonly ActivityMonitor _monitor = new();
    private readonly PlayedActivity _first = new();
    private readonly PlayedActivity _second = new();

    public ActivityMonitorTests()
    {
        _monitor.Add(_first);
        _monitor.Add(_second);
    }

    [Fact]
    public async Task WhenIdle_SecondHandsToTheFirstAfterThatWasLookedAt_IsNotIdle()
    {
        // Each finds the other idle in one round of looks, and yet never were both.
        _second.WhenLookedAt = () => Hand(_second, _first);
        _first.WhenLookedAt = () => Hand(_first, _second);

        Task idle = _monitor.WhenIdleAsync(CancellationToken.None);

        idle.IsCompleted.Should().BeFalse("one of them is busy");
        (_first.IsBusy || _second.IsBusy).Should().BeTrue();
        _first.IsBusy = _second.IsBusy = false;
        _monitor.TurnedIdle();
        await idle.Soon();
    }

    [Fact]
    public async Task WhenIdle_FirstAcceptsAndFinishesBetweenTheRounds_IsLookedAtAgain()
    {
        // Both are idle whenever they are looked at, but what the first did meanwhile may have gone anywhere.
        _second.WhenLookedAt = () => _first.Accepted++;

        Task idle = _monitor.WhenIdleAsync(CancellationToken.None);

        idle.IsCompleted.Should().BeFalse("nothing says that both were idle at one moment");
        _monitor.TurnedIdle();
        await idle.Soon();
    }

    private static void Hand(PlayedActivity from, PlayedActivity to)
    {
        from.IsBusy = false;
        to.Accepted++;
        to.IsBusy = true;
    }

    /// <summary>Busy as the test says, and doing something the first time somebody asks.</summary>
    private sealed class PlayedActivity : IActivity
    {
        public Action? WhenLookedAt { get; set; }

        public bool IsBusy { get; set; }

        public long Accepted { get; set; }

        public bool IsIdle
        {
            get
            {
                (Action? now, WhenLookedAt) = (WhenLookedAt, null);
                now?.Invoke();
                return !IsBusy;
            }
        }

        public string Describe() => "played";

        public Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
