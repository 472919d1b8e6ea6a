using System.Runtime.CompilerServices;
using EventBus.Delivery;

namespace EventBus.Tests.Delivery;

/// <summary>What a burst needed is let go of when it was read, and some nearly empty rounds have passed.</summary>
public sealed class BurstTests : IDisposable
{
    /// <summary>The contract's: the implementation may be quicker.</summary>
    private const int QuietRounds = 50;
    private readonly InProcessEventBus _bus = new();

    public static TheoryData<int, int[]> Bursts { get; } = new()
    {
        { 1, [1000] },
        { 3, [1000] },

        // The second one takes the pieces of the first, and ends in a short one, or in one in between.
        { 1, [1000, 1000] },
        { 3, [1000, 1000] },
        { 2, [1000, 2000, 960] },
    };

    public void Dispose() => _bus.Dispose();

    [Theory]
    [MemberData(nameof(Bursts))]
    public void Pieces_AfterBurstsThatWereRead_AreLetGoOf(int members, int[] bursts)
    {
        Subscription<int>[] subscriptions =
            [.. Enumerable.Range(0, members).Select(_ => _bus.Subscribe<int>("t", new() { Capacity = 10_000 }))];
        HashSet<WeakReference> pieces = [];
        foreach (int burst in bursts)
        {
            PublishNotingPieces(subscriptions[0], burst, pieces);
            Array.ForEach(subscriptions, s => Read(s, burst));
        }

        pieces.Should().HaveCountGreaterThan(5);

        for (int round = 0; round < QuietRounds; round++)
        {
            _bus.Publish("t", round);
            Array.ForEach(subscriptions, s => Read(s, 1));
        }

        Memory.Collect();
        pieces.Select(p => p.Target).OfType<Slot<int>[]>().Distinct().Sum(p => p.Length).Should().BeLessThan(32, "small ones are for the next events");
    }

    [Fact]
    public void Spares_OfABusThatIsGarbage_AreGivenUp()
    {
        Abandon();
        Memory.Collect();
        Ended ended = Ended.Last!;

        // The collector has freed what the weak reference needs.
        ended.GiveBack();

        ended.Spares.Take().Should().BeNull();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Abandon() => new Ended().GiveBack();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void PublishNotingPieces(Subscription<int> subscription, int count, HashSet<WeakReference> pieces)
    {
        SubscriberGroup<int> group = (SubscriberGroup<int>)subscription.Channel.Group!;
        Slot<int>[]? last = null;
        for (int i = 0; i < count; i++)
        {
            _bus.Publish("t", i);
            if (last != group.LockedLast.Slots)
                pieces.Add(new WeakReference(last = group.LockedLast.Slots));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Read(Subscription<int> subscription, int count)
    {
        for (int i = 0; i < count; i++)
            subscription.Reader.TryRead(out _).Should().BeTrue();
    }

    /// <summary>As a subscription that nobody holds: it ends when it is collected, after what was collected with it.</summary>
    private sealed class Ended
    {
        private SparePieces<int> _spares;

        ~Ended() => Last = this;

        public static Ended? Last { get; private set; }

        public ref SparePieces<int> Spares => ref _spares;

        public void GiveBack()
        {
            _spares.Return(new LogPiece<int>(new Slot<int>[4]), isSmall: false);
            _spares.Rest();
        }
    }
}
