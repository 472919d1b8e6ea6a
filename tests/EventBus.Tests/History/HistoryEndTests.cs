using EventBus.Delivery;
using EventBus.History;

namespace EventBus.Tests.History;

public sealed class HistoryEndTests
{
    /// <summary>A publish or a completion that looked whether the bus had ended before it did comes here afterwards.</summary>
    [Fact]
    public void WhatTheEndOvertook_IsNumberedAndNotKept()
    {
        HistoryStore history = new([new HistoryRule { Pattern = "#" }], 1, TimeProvider.System);
        history.Dispose();

        lock (history.Gate)
        {
            history.TryAppend(rule: 0, "late", new EventOrigin("run:7"), nowTicks: 0, out long sequence).Should().BeTrue();
            sequence.Should().BePositive();
            history.TryComplete(rule: 0, "run:8", hasSubscribers: true, nowTicks: 0).Should().BeFalse();
        }

        history.Measure(nowTicks: 0).Should().Be((0, 0L));
    }
}
