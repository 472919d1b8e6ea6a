using EventBus.Testing;

namespace EventBus.Tests.Handling;

/// <summary>A bus, a clock, a store and a write-behind between them, and one who listens to everything.</summary>
internal sealed class WriteBehindFixture : IAsyncDisposable
{
    public WriteBehindFixture(Action<WriteBehindOptions>? configure = null)
    {
        WriteBehindOptions options = new();
        configure?.Invoke(options);
        Options = options;
        Bus = new InProcessEventBus(timeProvider: Clock, loggerFactory: Log);
        Listener = Bus.Subscribe<string>("#", new SubscriptionOptions { Capacity = 100_000 });
        WriteBehind = new WriteBehindPublisher<string>(Bus, Store, options, loggerFactory: Log);
    }

    public FakeTimeProvider Clock { get; } = new();

    public RecordedLog Log { get; } = new();

    public RecordingStore<string> Store { get; } = new();

    public WriteBehindOptions Options { get; }

    public InProcessEventBus Bus { get; }

    public Subscription<string> Listener { get; }

    public WriteBehindPublisher<string> WriteBehind { get; }

    public void Publish(params ReadOnlySpan<string> events)
    {
        foreach (string @event in events)
            WriteBehind.Publish("run:1", @event).Should().BeTrue($"there is room for {@event}");
    }

    /// <summary>Flushes, and turns the clock over every delay until that is done.</summary>
    public async Task FlushAsync()
    {
        Task flushed = WriteBehind.FlushAsync().Soon();
        while (!flushed.IsCompleted)
        {
            if (Clock.ScheduledTimers > 0)
                Clock.Advance(Options.MaxRetryDelay);
            await Task.Yield();
        }

        await flushed;
    }

    public async ValueTask DisposeAsync()
    {
        (Store.OnAppend, Store.OnBatch) = (null, null);
        WriteBehind.Dispose();
        await Bus.DisposeAsync();
    }
}
