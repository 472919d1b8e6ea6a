using System.Reflection;
using EventBus.Delivery;
using EventBus.Handling;
using Microsoft.Extensions.Logging;

namespace EventBus.Tests.Handling;

/// <summary>Whatever fails around a handler, memory above all, ends no loop silently and leaves nobody waiting.</summary>
public sealed class HandlerLoopContainmentTests : IDisposable
{
    private readonly RecordedLog _log = new();

    public void Dispose() => _log.Dispose();

    [Theory]
    [InlineData("sequential")]
    [InlineData("per topic")]
    [InlineData("unordered")]
    [InlineData("batches")]
    public async Task BusFailsInACall_TheHandlerGoesOnWithTheNext(string kind)
    {
        await using InProcessEventBus bus = new(loggerFactory: _log);
        TaskCompletionSource handled = new();
        HandlerSubscription subscription = Handle(bus, kind, e =>
        {
            if (e == "bad")
                throw new InvalidOperationException("a bad event");
            handled.SetResult();
        });
        FaultyOwner.Of(subscription.Channel, nameof(IChannelOwner.HandlerFailed));

        bus.Publish("topic", "bad");
        await bus.WhenIdleAsync();
        bus.Publish("topic", "good");
        await handled.Task.Soon();

        _log.Lines.Should().ContainSingle(l => l.Id == 14 && l.Level == LogLevel.Error).Which.Exception.Should().BeAssignableTo<OutOfMemoryException>();
        subscription.Completion.IsCompleted.Should().BeFalse();
        await subscription.DisposeAsync().Soon();
    }

    [Theory]
    [InlineData("sequential")]
    [InlineData("per topic")]
    [InlineData("unordered")]
    [InlineData("batches")]
    public async Task BusFailsToTakeAnEvent_TheHandlerEndsAndSaysSo(string kind)
    {
        await using InProcessEventBus bus = new(loggerFactory: _log);
        HandlerSubscription subscription = Handle(bus, kind, _ => { });
        FaultyOwner.Of(subscription.Channel, $"get_{nameof(IChannelOwner.Telemetry)}");

        bus.Publish("topic", "a");
        await subscription.Completion.Soon();

        _log.Lines.Should().ContainSingle(l => l.Id == 13 && l.Level == LogLevel.Error).Which.Exception.Should().BeAssignableTo<OutOfMemoryException>();
        await bus.WhenIdleAsync();
        await subscription.DisposeAsync().Soon();
        bus.Publish("topic", "late").Matched.Should().Be(0);
    }

    [Fact]
    public async Task LoopFails_WhatIsQueuedIsDiscardedAndCounted()
    {
        await using InProcessEventBus bus = new(loggerFactory: _log);
        using Subscription<string> subscription = bus.Subscribe<string>("topic");
        bus.Publish("topic", "a");
        bus.Publish("topic", "b");
        FailingLoop loop = new(bus.Activity, subscription.Channel);
        loop.Announce();

        loop.Start();
        await loop.Completion.Soon();

        _log.Lines.Should().ContainSingle(l => l.Id == 13).Which.Message.Should().Contain("failing handler").And.Contain("2 event(s)");
        bus.GetStatistics().Discarded.Should().Be(2);
        await bus.WhenIdleAsync();
    }

    private static HandlerSubscription Handle(InProcessEventBus bus, string kind, Action<string> handle)
    {
        if (kind == "batches")
        {
            return bus.HandleBatches("topic", (batch, _) =>
            {
                handle(batch[0].Event);
                return default;
            });
        }

        return bus.Handle<string>(
            "topic",
            (e, _) =>
            {
                handle(e.Event);
                return default;
            },
            new HandlerOptions
            {
                MaxConcurrency = kind == "sequential" ? 1 : 2,
                Order = kind == "unordered" ? HandlerOrder.None : HandlerOrder.PerTopic,
            });
    }

    private sealed class FailingLoop(ActivityMonitor activity, SubscriberChannel channel)
        : HandlerLoop(activity, channel, "failing handler", new HandlerOptions())
    {
        protected override Task RunLoopAsync() => throw new InsufficientMemoryException("none left");
    }
}

/// <summary>What a channel belongs to, with one member that runs out of memory the first time it is used.</summary>
public class FaultyOwner : DispatchProxy
{
    private object? _owner;
    private string? _member;

    internal static void Of(SubscriberChannel channel, string member)
    {
        FieldInfo owner = typeof(SubscriberProfile).GetField($"<{nameof(SubscriberProfile.Owner)}>k__BackingField", BindingFlags.Instance | BindingFlags.NonPublic)!;
        IChannelOwner proxy = Create<IChannelOwner, FaultyOwner>();
        ((FaultyOwner)(object)proxy)._owner = channel.Owner;
        ((FaultyOwner)(object)proxy)._member = member;
        owner.SetValue(channel.Profile, proxy);
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        targetMethod!.Name == Interlocked.CompareExchange(ref _member, null, targetMethod.Name)
            ? throw new InsufficientMemoryException("none left")
            : targetMethod.Invoke(_owner, args);
}
