using EventBus.Delivery;

namespace EventBus.Tests.Delivery;

/// <summary>The circular buffer: grows as it fills, keeps its order, and lets go of what a burst needed.</summary>
public sealed class SlotBufferTests
{
    /// <summary>The contract's: the implementation may be quicker.</summary>
    private const int QuietRounds = 50;
    private SlotBuffer<object> _buffer;
    private long _appended;
    private long _removed;

    [Fact]
    public void New_HasNoMemory() => _buffer.Length.Should().Be(0);

    [Fact]
    public void Append_GrowsWithWhatItHolds()
    {
        for (int count = 1; count <= 5000; count++)
        {
            Append();
            _buffer.Count.Should().Be(count);
            _buffer.Length.Should().BeInRange(count, Math.Max(4, (2 * count) - 1));
        }

        Remove(5000);
    }

    [Fact]
    public void Append_AllocatesNoMoreThanAPiece_HoweverMuchIsQueued()
    {
        // A lock is held meanwhile.
        long most = 0;
        for (int count = 0; count < 500_000; count++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Append();
            most = Math.Max(most, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        most.Should().BeLessThan(16_384);
        _buffer.Clear();
    }

    [Fact]
    public void AppendAndRemove_AnyMixture_KeepsTheOrderAcrossWrapsAndResizes()
    {
        Random random = new(99);
        for (int i = 0; i < 2000; i++)
        {
            for (int append = random.Next(i % 100 == 0 ? 500 : 10); append > 0; append--)
                Append();
            if (_buffer.Count > 0 && random.Next(4) == 0)
            {
                _buffer.RemoveLast();
                _appended--;
            }

            Remove(random.Next(Math.Min(_buffer.Count, 12) + 1));
            for (int at = 0; at < _buffer.Count; at += 7)
                _buffer[at].Ordinal.Should().Be(_removed + at);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void Shrinks_WithinFiftyNearlyEmptyRoundsAfterABurst(int perRound)
    {
        Burst(10_000);

        for (int round = 0; round < QuietRounds; round++)
        {
            for (int i = 0; i < perRound; i++)
                Append();
            Remove(perRound);
        }

        _buffer.Length.Should().BeLessThanOrEqualTo(16);
    }

    [Fact]
    public void Shrinks_AlsoWhenItNeverRunsQuiteEmpty()
    {
        Burst(10_000);
        Append();

        for (int reads = 0; reads < QuietRounds * 1024; reads++)
        {
            Append();
            Remove(1);
        }

        _buffer.Length.Should().BeLessThanOrEqualTo(16);
        _buffer.Count.Should().Be(1);
    }

    [Fact]
    public void ShrinkingAndGrowingAgain_AllocatesNothing_UnlessTheCollectorCameBetween()
    {
        long least = long.MaxValue;
        for (int cycle = 0; cycle < 100 && least > 0; cycle++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 512; i++)
                Append();
            while (_buffer.Count > 0)
                _buffer.RemoveFirst();
            for (int round = 0; round < QuietRounds; round++)
            {
                Append();
                _buffer.RemoveFirst();
            }

            // The first cycles have nothing to take back yet.
            if (cycle >= 2)
                least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        least.Should().Be(0);
        _buffer.Length.Should().BeLessThan(512, "otherwise there was nothing to take back");
    }

    [Fact]
    public void DoesNotShrink_WhileRoundsFillIt()
    {
        Burst(1000);
        int length = _buffer.Length;

        for (int round = 0; round < 200; round++)
            Burst(round % 20 == 0 ? 1000 : 2);

        _buffer.Length.Should().Be(length, "what comes back every twenty rounds is not worth a copy each time");
    }

    [Theory]
    [InlineData(5)]
    [InlineData(100)]
    [InlineData(10_000)]
    public void Rest_KeepsLittle_AndGrowsAgain(int burst)
    {
        for (int i = 0; i < 3; i++)
        {
            Burst(burst);
            _buffer.Rest();
            _buffer.Length.Should().BeLessThanOrEqualTo(16);
        }

        Memory.Collect();
        Burst(burst);
        _buffer.Length.Should().BeInRange(Math.Min(burst, 16), Math.Max(16, 2 * burst));
    }

    [Fact]
    public void Clear_LetsGoOfAll()
    {
        Burst(100);
        Append();
        _buffer.Clear();
        (_buffer.Count, _buffer.Length).Should().Be((0, 0));
    }

    private void Burst(int count)
    {
        for (int i = 0; i < count; i++)
            Append();
        Remove(count);
    }

    private void Append() => _buffer.Append().Ordinal = _appended++;

    private void Remove(int count)
    {
        for (; count > 0; count--)
        {
            _buffer[0].Ordinal.Should().Be(_removed++);
            _buffer.RemoveFirst();
        }
    }
}
