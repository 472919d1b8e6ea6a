using System.Runtime.InteropServices;
using EventBus.Delivery;

namespace EventBus.Tests.Delivery;

/// <summary>The members of a group against a simple model: who is in which part, and who may be full first.</summary>
public sealed class RosterTests
{
    private readonly List<Member> _inLog = [];
    private readonly List<Member> _alone = [];
    private readonly List<Member> _ended = [];
    private Roster _roster = new();

    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 12)]
    [InlineData(3, 100)]
    [InlineData(4, 1000)]
    public void AnySteps_PartsPlacesAndTheFirstAreRight(int seed, int most)
    {
        Random random = new(seed);
        for (int step = 0; step < 6000; step++)
        {
            // Grows to many at first, and empties in the end.
            int all = _inLog.Count + _alone.Count + _ended.Count;
            Step(random, mayAdd: all < most, mayLeave: all > most / 2 || step > 3000);
            if (most <= 100 || step % 50 == 0)
                Check();
        }

        Check();
    }

    private void Step(Random random, bool mayAdd, bool mayLeave)
    {
        switch (random.Next(8))
        {
            case 0 or 1 when mayAdd:
                Member added = new() { Limit = random.Next(1000) };
                added.Known = added.Limit;
                _roster.Add(added, added.Limit);
                _inLog.Add(added);
                break;
            case 2 when _inLog.Count > 0:
                Member falling = Any(random, _inLog);
                _roster.LeaveLog(falling);
                Move(falling, _inLog, _alone);
                break;
            case 3 when _alone.Count > 0:
                Member coming = Any(random, _alone);
                coming.Known = coming.Limit;
                _roster.EnterLog(coming, coming.Limit);
                Move(coming, _alone, _inLog);
                break;
            case 4 when _alone.Count > 0 && mayLeave:
                Member ending = Any(random, _alone);
                _roster.End(ending);
                Move(ending, _alone, _ended);
                break;
            case 5 when _ended.Count > 0:
                Member forgotten = Any(random, _ended);
                _roster.Remove(forgotten);
                _ended.Remove(forgotten);
                forgotten.Place.Should().Be(-1);
                break;
            case 6 when _inLog.Count > 0:
                // They make room, which the roster is told of when it asks.
                foreach (Member member in _inLog)
                    member.Limit += random.Next(3) == 0 ? random.Next(50) : 0;
                Member first = (Member)_roster[0];
                first.Known = first.Limit;
                _roster.SetFirstLimit(first.Limit);
                break;
            case 7 when random.Next(4) == 0:
                _roster.AskAll();
                _inLog.ForEach(m => m.Known = m.Limit);
                break;
        }
    }

    private void Check()
    {
        (int inLog, int open, int all) = (_inLog.Count, _inLog.Count + _alone.Count, _inLog.Count + _alone.Count + _ended.Count);
        (_roster.InLog, _roster.Open, _roster.All).Should().Be((inLog, open, all));
        Span<Member> members = new Member[all];
        for (int i = 0; i < all; i++)
        {
            members[i] = (Member)_roster[i];
            members[i].Place.Should().Be(i);
            _roster.IsOpen(members[i]).Should().Be(i < open);
        }

        AreSame(members[..inLog], _inLog);
        AreSame(members[inLog..open], _alone);
        AreSame(members[open..], _ended);
        _roster.FirstLimit.Should().Be(inLog == 0 ? long.MaxValue : _inLog.Min(m => m.Known));
        if (inLog > 0)
            members[0].Known.Should().Be(_roster.FirstLimit);
    }

    private static void AreSame(Span<Member> members, List<Member> expected)
    {
        HashSet<Member> set = [.. members];
        set.SetEquals(expected).Should().BeTrue();
        members.Length.Should().Be(expected.Count);
    }

    private static Member Any(Random random, List<Member> members) => CollectionsMarshal.AsSpan(members)[random.Next(members.Count)];

    private static void Move(Member member, List<Member> from, List<Member> to)
    {
        from.Remove(member);
        to.Add(member);
    }

    /// <summary>One that has nothing but a limit.</summary>
    private sealed class Member() : EventBus.Delivery.GroupMember(null!)
    {
        public long Limit { get; set; }

        /// <summary>The limit as the roster was told it last.</summary>
        public long Known { get; set; }

        public override int Capacity => 1;

        public override long RoomUpTo => Limit;

        public override long Position => 0;

        public override bool IsInLog => throw new NotSupportedException();

        protected override bool LockedIsOpen => throw new NotSupportedException();

        protected override Exception? LockedFault => throw new NotSupportedException();

        protected override int LockedReadable => throw new NotSupportedException();

        protected override bool LockedMayEnterLog => throw new NotSupportedException();

        public override SubscriberGroup CreateGroup() => throw new NotSupportedException();

        public override void Starve() => throw new NotSupportedException();

        public override void LoseOffered(ref FanOut fanOut) => throw new NotSupportedException();

        protected override void LockedEnter(SubscriberGroup group) => throw new NotSupportedException();

        protected override void LockedLeave(SubscriberGroup group) => throw new NotSupportedException();
    }
}
