using System.Runtime.CompilerServices;

namespace EventBus.Tests.Delivery;

/// <summary>The tasks that tell a subscription's end.</summary>
[Collection(nameof(AloneCollection))]
public sealed class CompletionTasksTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Completion_IsTheSameTaskBeforeAndAfterTheEnd(bool overflows)
    {
        using InProcessEventBus bus = new();
        using Subscription<int> early = bus.Subscribe<int>("t", new() { Capacity = 1, Overflow = OverflowPolicy.Close });
        using Subscription<int> late = bus.Subscribe<int>("t", new() { Capacity = 1, Overflow = OverflowPolicy.Close });
        Task ofSubscription = early.Completion, ofReader = early.Reader.Completion;

        bus.Publish("t", 1);
        if (overflows)
            bus.Publish("t", 2);
        else
            bus.Complete("t");
        early.Completion.Should().BeSameAs(ofSubscription, "it has ended, but is unread");
        early.ReadQueued();
        late.ReadQueued();

        await ofSubscription.Soon();
        (early.Completion, early.Reader.Completion).Should().Be((ofSubscription, ofReader));
        (late.Completion, late.Reader.Completion).Should().Be((late.Completion, late.Reader.Completion));
        late.Completion.IsCompletedSuccessfully.Should().BeTrue();
        foreach (Task reader in (Task[])[ofReader, late.Reader.Completion])
        {
            Func<Task> awaiting = () => reader.Soon();
            if (overflows)
                await awaiting.Should().ThrowAsync<SubscriptionOverflowException>();
            else
                await awaiting.Should().NotThrowAsync();
        }
    }

    [Fact]
    public void Completion_OfAnOverflowedReader_LookedAtButNotAwaited_IsNoUnobservedException()
    {
        List<Exception> unobserved = [];
        void OnUnobserved(object? sender, UnobservedTaskExceptionEventArgs args)
        {
            if (args.Exception.InnerException is SubscriptionOverflowException)
                unobserved.Add(args.Exception);
        }

        TaskScheduler.UnobservedTaskException += OnUnobserved;
        try
        {
            Overflow(looksBefore: true);
            Overflow(looksBefore: false);
            for (int i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= OnUnobserved;
        }

        unobserved.Should().BeEmpty();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Overflow(bool looksBefore)
    {
        using InProcessEventBus bus = new();
        using Subscription<int> subscription = bus.Subscribe<int>("t", new() { Capacity = 1, Overflow = OverflowPolicy.Close });
        if (looksBefore)
            _ = subscription.Reader.Completion;
        bus.Publish("t", 1);
        bus.Publish("t", 2);
        subscription.ReadQueued();
        subscription.Reader.Completion.IsFaulted.Should().BeTrue();
    }
}
