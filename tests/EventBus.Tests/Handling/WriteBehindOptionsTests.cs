namespace EventBus.Tests.Handling;

public sealed class WriteBehindOptionsTests
{
    [Fact]
    public void Options_Defaults_AreThoseOfTheContract()
    {
        new WriteBehindOptions().Should().BeEquivalentTo(new
        {
            FlushInterval = TimeSpan.FromMilliseconds(100),
            MaxBatchSize = 1000,
            Capacity = 100_000,
            RetryDelay = TimeSpan.FromMilliseconds(200),
            MaxRetryDelay = TimeSpan.FromSeconds(30),
            MaxAttempts = 0,
            DrainTimeout = TimeSpan.FromSeconds(30),
        });
    }

    [Theory]
    [InlineData(nameof(WriteBehindOptions.FlushInterval), "-00:00:00.0010000", "0 to 24 hours")]
    [InlineData(nameof(WriteBehindOptions.FlushInterval), "1.00:00:00.0010000", "0 to 24 hours")]
    [InlineData(nameof(WriteBehindOptions.RetryDelay), "00:00:00", "1 ms to 24 hours")]
    [InlineData(nameof(WriteBehindOptions.RetryDelay), "1.00:00:00.0010000", "1 ms to 24 hours")]
    [InlineData(nameof(WriteBehindOptions.MaxRetryDelay), "00:00:00", "1 ms to 24 hours")]
    [InlineData(nameof(WriteBehindOptions.MaxRetryDelay), "1.00:00:00.0010000", "1 ms to 24 hours")]
    [InlineData(nameof(WriteBehindOptions.DrainTimeout), "-00:00:00.0010000", "0 to 24 hours")]
    [InlineData(nameof(WriteBehindOptions.DrainTimeout), "1.00:00:00.0010000", "0 to 24 hours")]
    public void Constructor_TimeOutOfRange_NamesTheOptionItsValueAndItsRange(string option, string value, string range) =>
        Creating(option, TimeSpan.Parse(value, null)).Should().Throw<ArgumentException>().WithMessage($"{option} is {value}; it must be {range}*");

    [Theory]
    [InlineData(nameof(WriteBehindOptions.MaxBatchSize), 0)]
    [InlineData(nameof(WriteBehindOptions.MaxBatchSize), 1_048_577)]
    [InlineData(nameof(WriteBehindOptions.Capacity), 0)]
    [InlineData(nameof(WriteBehindOptions.Capacity), 1_048_577)]
    public void Constructor_CountOutOfRange_NamesTheOptionItsValueAndItsRange(string option, int value) =>
        Creating(option, value).Should().Throw<ArgumentException>().WithMessage($"{option} is {value}; it must be 1 to 1048576 events.*");

    [Theory]
    [InlineData(-1)]
    [InlineData(1001)]
    public void Constructor_AttemptsOutOfRange_NamesTheOptionItsValueAndItsRange(int value) =>
        Creating(nameof(WriteBehindOptions.MaxAttempts), value).Should().Throw<ArgumentException>()
            .WithMessage($"MaxAttempts is {value}; it must be 0 (for ever) to 1000 attempts.*");

    [Fact]
    public void Constructor_SeveralOutOfRange_NamesThemAll()
    {
        using InProcessEventBus bus = new();

        Action create = () => _ = new WriteBehindPublisher<string>(
            bus, new RecordingStore<string>(), new WriteBehindOptions { Capacity = 0, MaxBatchSize = -1 });

        create.Should().Throw<ArgumentException>().WithMessage("*Capacity is 0*").WithMessage("*MaxBatchSize is -1*").WithParameterName("options");
    }

    [Fact]
    public void Constructor_NoPublisherOrNoStore_Throws()
    {
        using InProcessEventBus bus = new();

        ((Action)(() => _ = new WriteBehindPublisher<string>(null!, new RecordingStore<string>())))
            .Should().Throw<ArgumentNullException>().WithParameterName("publisher");
        ((Action)(() => _ = new WriteBehindPublisher<string>(bus, null!))).Should().Throw<ArgumentNullException>().WithParameterName("store");
    }

    [Fact]
    public async Task Constructor_Options_AreCopied()
    {
        await using WriteBehindFixture fixture = new(o => o.Capacity = 2);
        fixture.Options.Capacity = 1;

        fixture.Publish("a", "b");
    }

    private static Action Creating(string option, object value) => () =>
    {
        WriteBehindOptions options = new();
        typeof(WriteBehindOptions).GetProperty(option)!.SetValue(options, value);
        using InProcessEventBus bus = new();
        using WriteBehindPublisher<string> writeBehind = new(bus, new RecordingStore<string>(), options);
    };
}
