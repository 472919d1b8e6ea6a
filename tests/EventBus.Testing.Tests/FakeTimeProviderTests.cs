namespace EventBus.Testing.Tests;

public sealed class FakeTimeProviderTests
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);
    private readonly FakeTimeProvider _clock = new();
    private readonly List<string> _fired = [];

    [Fact]
    public void Clock_Untouched_StandsStill()
    {
        _clock.GetUtcNow().Should().Be(_clock.Start).And.Be(_clock.GetUtcNow());
        _clock.LocalTimeZone.Should().Be(TimeZoneInfo.Utc);
        new FakeTimeProvider(new DateTimeOffset(2030, 5, 1, 12, 0, 0, TimeSpan.FromHours(2))).GetUtcNow()
            .Should().Be(new DateTimeOffset(2030, 5, 1, 10, 0, 0, TimeSpan.Zero));
    }

    [Fact]
    public void Advance_MovesTimeAndTimestampsTogether()
    {
        long before = _clock.GetTimestamp();

        _clock.Advance(TimeSpan.FromTicks(12_345_678));

        (_clock.GetUtcNow() - _clock.Start).Ticks.Should().Be(12_345_678);
        _clock.GetElapsedTime(before).Ticks.Should().Be(12_345_678);
    }

    [Fact]
    public void Advance_SeveralTimers_FireInDueOrderEachAtItsTime()
    {
        CreateTimer("late", 30);
        CreateTimer("early", 10);
        CreateTimer("middle", 20);
        CreateTimer("never", 31);

        Advance(30);

        _fired.Should().Equal("early at 10", "middle at 20", "late at 30");
        _clock.GetUtcNow().Should().Be(_clock.Start.AddSeconds(30));
        _clock.ScheduledTimers.Should().Be(1);
    }

    [Fact]
    public void Advance_TimersDueTogether_FireInOrderOfCreation()
    {
        ITimer first = CreateTimer("first", 99);
        CreateTimer("second", 5);
        first.Change(TimeSpan.FromSeconds(5), Timeout.InfiniteTimeSpan);

        Advance(5);

        _fired.Should().Equal("first at 5", "second at 5");
    }

    [Fact]
    public void Advance_JustShort_FiresNothing()
    {
        CreateTimer("t", 10);

        _clock.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromTicks(1));
        _fired.Should().BeEmpty();
        _clock.Advance(TimeSpan.FromTicks(1));
        _fired.Should().Equal("t at 10");
    }

    [Fact]
    public void Advance_Zero_FiresWhatIsDueAtOnce()
    {
        CreateTimer("now", 0);
        _fired.Should().BeEmpty("nothing fires by itself");

        Advance(0);

        _fired.Should().Equal("now at 0");
    }

    [Fact]
    public void Advance_PeriodicTimer_FiresEachTimeBetweenTheOthers()
    {
        using ITimer periodic = CreateTimer("tick", 10, 10);
        CreateTimer("once", 25);

        Advance(35);

        _fired.Should().Equal("tick at 10", "tick at 20", "once at 25", "tick at 30");
    }

    [Fact]
    public void Advance_CallbackSchedulesAnother_FiresInTheSameTurnIfDue()
    {
        _clock.CreateTimer(_ => CreateTimer("in reach", 5), null, TimeSpan.FromSeconds(10), Timeout.InfiniteTimeSpan);
        _clock.CreateTimer(_ => CreateTimer("out of reach", 6), null, TimeSpan.FromSeconds(10), Timeout.InfiniteTimeSpan);

        Advance(15);

        _fired.Should().Equal("in reach at 15");
    }

    [Fact]
    public void Advance_InsideOfACallback_MakesTheTurnLonger()
    {
        CreateTimer("later", 20);
        _clock.CreateTimer(_ => Advance(10), null, TimeSpan.FromSeconds(5), Timeout.InfiniteTimeSpan);

        Advance(10);

        _fired.Should().Equal("later at 20");
        _clock.GetUtcNow().Should().Be(_clock.Start.AddSeconds(20));
    }

    [Fact]
    public void Change_FromItsOwnCallback_Reschedules()
    {
        ITimer? timer = null;
        timer = _clock.CreateTimer(
            _ =>
            {
                Record("again");
                timer!.Change(TimeSpan.FromSeconds(7), Timeout.InfiniteTimeSpan);
            },
            null,
            TimeSpan.FromSeconds(1),
            TimeSpan.FromSeconds(1));

        Advance(16);

        _fired.Should().Equal("again at 1", "again at 8", "again at 15");
    }

    [Fact]
    public void Dispose_FromItsOwnCallback_EndsAPeriodicTimer()
    {
        ITimer? timer = null;
        timer = _clock.CreateTimer(
            _ =>
            {
                Record("once");
                timer!.Dispose();
            },
            null,
            TimeSpan.FromSeconds(1),
            TimeSpan.FromSeconds(1));

        Advance(5);

        _fired.Should().Equal("once at 1");
        _clock.ScheduledTimers.Should().Be(0);
    }

    [Fact]
    public void Dispose_ByAnEarlierCallbackOfTheTurn_KeepsTheTimerFromFiring()
    {
        ITimer victim = CreateTimer("victim", 20);
        _clock.CreateTimer(_ => victim.Dispose(), null, TimeSpan.FromSeconds(10), Timeout.InfiniteTimeSpan);

        Advance(30);

        _fired.Should().BeEmpty();
    }

    [Fact]
    public void Change_AfterDispose_ReturnsFalse()
    {
        ITimer timer = CreateTimer("t", 1);
        timer.Change(TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan).Should().BeTrue();
        timer.Dispose();

        timer.Change(TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan).Should().BeFalse();
        Advance(10);

        _fired.Should().BeEmpty();
    }

    [Fact]
    public void Change_ToInfinite_StopsTheTimer()
    {
        ITimer timer = CreateTimer("t", 1, 1);

        timer.Change(Timeout.InfiniteTimeSpan, TimeSpan.FromSeconds(1)).Should().BeTrue();
        Advance(10);

        _fired.Should().BeEmpty();
    }

    [Theory]
    [InlineData(-2, 0)]
    [InlineData(0, -2)]
    [InlineData(0xffffffffL, 0)]
    [InlineData(0, 0xffffffffL)]
    public void CreateTimer_TimeOutOfRange_IsRefused(long dueTime, long period)
    {
        Action create = () => _clock.CreateTimer(
            _ => { }, null, TimeSpan.FromMilliseconds(dueTime), TimeSpan.FromMilliseconds(period));

        create.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Advance_Backwards_IsRefused()
    {
        Action back = () => _clock.Advance(TimeSpan.FromTicks(-1));
        Action set = () => _clock.SetUtcNow(_clock.Start.AddTicks(-1));

        back.Should().Throw<ArgumentOutOfRangeException>();
        set.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void SetUtcNow_FiresWhatLiesBetween()
    {
        CreateTimer("t", 10);

        _clock.SetUtcNow(_clock.Start.AddHours(1));

        _fired.Should().Equal("t at 10");
        _clock.GetUtcNow().Should().Be(_clock.Start.AddHours(1));
    }

    [Fact]
    public void Advance_CallbackThrows_TheOthersFireAndTheExceptionComesOut()
    {
        _clock.CreateTimer(_ => throw new FormatException("mine"), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        CreateTimer("after", 2);
        Action advance = () => Advance(3);

        advance.Should().Throw<FormatException>().WithMessage("mine");

        _fired.Should().Equal("after at 2");
        _clock.GetUtcNow().Should().Be(_clock.Start.AddSeconds(3));
        Advance(1);
        _clock.GetUtcNow().Should().Be(_clock.Start.AddSeconds(4), "the clock can be turned again");
    }

    [Fact]
    public async Task TaskDelay_OnThisClock_EndsWhenItIsTurned()
    {
        Task delay = Task.Delay(TimeSpan.FromMinutes(2), _clock);
        Task timeout = new TaskCompletionSource().Task.WaitAsync(TimeSpan.FromMinutes(3), _clock);
        using CancellationTokenSource source = new(TimeSpan.FromMinutes(4), _clock);

        _clock.Advance(TimeSpan.FromMinutes(2));
        delay.IsCompleted.Should().BeTrue();
        timeout.IsCompleted.Should().BeFalse();

        _clock.Advance(TimeSpan.FromMinutes(1));
        await timeout.Invoking(t => t.WaitAsync(Guard)).Should().ThrowAsync<TimeoutException>();
        source.IsCancellationRequested.Should().BeFalse();

        _clock.Advance(TimeSpan.FromMinutes(1));
        source.IsCancellationRequested.Should().BeTrue();
    }

    [Fact]
    public void Callback_RunsInTheContextOfTheTimersCreator()
    {
        AsyncLocal<string> local = new() { Value = "creator" };
        string? seen = null;
        _clock.CreateTimer(_ => seen = local.Value, null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        local.Value = "advancer";

        Advance(1);

        seen.Should().Be("creator");
    }

    [Fact]
    public async Task WhenTimersAsync_CodeBeginsToWaitElsewhere_EndsOnceItDoes()
    {
        Task first = _clock.WhenTimersAsync();
        Task both = _clock.WhenTimersAsync(2);
        first.IsCompleted.Should().BeFalse();

        Task waiting = Task.Run(() => Task.Delay(TimeSpan.FromHours(1), _clock));
        await first;
        both.IsCompleted.Should().BeFalse();
        CreateTimer("second", 1);
        await both;
        await _clock.WhenTimersAsync(2);

        _clock.Advance(TimeSpan.FromHours(1));
        await waiting.WaitAsync(Guard);
    }

    [Fact]
    public async Task WhenTimersAsync_TooFew_NamesThoseThatAreScheduled()
    {
        CreateTimer("one", 90);
        Func<Task> wait = () => _clock.WhenTimersAsync(2, TimeSpan.Zero);

        await wait.Should().ThrowAsync<TimeoutException>().WithMessage("2 timers*due in 00:01:30.");
    }

    [Fact]
    public async Task DisposeAsync_WhileTheCallbackRuns_WaitsForItsEnd()
    {
        TaskCompletionSource<Task> disposal = new();
        ITimer? timer = null;
        timer = _clock.CreateTimer(
            _ =>
            {
                Task disposed = timer!.DisposeAsync().AsTask();
                disposed.IsCompleted.Should().BeFalse();
                disposal.SetResult(disposed);
            },
            null,
            TimeSpan.FromSeconds(1),
            Timeout.InfiniteTimeSpan);

        Advance(1);

        await (await disposal.Task).WaitAsync(Guard);
    }

    [Fact]
    public async Task Members_FromManyThreads_LoseNoTimerAndNoTime()
    {
        const int Threads = 4, Rounds = 500;
        int fired = 0;
        using Barrier barrier = new(Threads);
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(_ => Task.Factory.StartNew(
            () =>
            {
                barrier.SignalAndWait();
                for (int i = 0; i < Rounds; i++)
                {
                    _clock.CreateTimer(
                        _ => Interlocked.Increment(ref fired), null, TimeSpan.FromSeconds(i % 7), Timeout.InfiniteTimeSpan);
                    _clock.Advance(TimeSpan.FromSeconds(1));
                }
            },
            TaskCreationOptions.LongRunning))).WaitAsync(Guard);

        (_clock.GetUtcNow() - _clock.Start).Should().Be(TimeSpan.FromSeconds(Threads * Rounds));
        Advance(7);
        fired.Should().Be(Threads * Rounds);
        _clock.ScheduledTimers.Should().Be(0);
    }

    private void Advance(int seconds) => _clock.Advance(TimeSpan.FromSeconds(seconds));

    private ITimer CreateTimer(string name, int dueSeconds, int? periodSeconds = null) => _clock.CreateTimer(
        _ => Record(name),
        null,
        TimeSpan.FromSeconds(dueSeconds),
        periodSeconds is { } period ? TimeSpan.FromSeconds(period) : Timeout.InfiniteTimeSpan);

    private void Record(string name) => _fired.Add($"{name} at {(_clock.GetUtcNow() - _clock.Start).TotalSeconds}");
}
