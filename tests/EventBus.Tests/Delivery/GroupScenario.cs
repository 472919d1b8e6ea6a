using FsCheck;
using FsCheck.Fluent;

namespace EventBus.Tests.Delivery;

/// <summary>What can happen to a bus and its subscriptions. Members are counted round, so that every number is one of them.</summary>
internal abstract record GroupStep
{
    /// <summary>The step made less, for shrinking. A method, so that it is not printed.</summary>
    public virtual IEnumerable<GroupStep> Smaller() => [];

    /// <summary>Publishes one or many. <paramref name="Except"/>: a member, or -1.</summary>
    public sealed record Publish(string Topic, EventKind Kind, int Except, int Count) : GroupStep
    {
        public override IEnumerable<GroupStep> Smaller() =>
        [
            .. Count > 1 ? (GroupStep[])[this with { Count = Count / 2 }, this with { Count = Count - 1 }] : [],
            .. Except >= 0 ? (GroupStep[])[this with { Except = -1 }] : [],
        ];
    }

    public sealed record PublishAsync(string Topic, EventKind Kind, int Except, int Count) : GroupStep
    {
        public override IEnumerable<GroupStep> Smaller() => Count > 1 ? [this with { Count = Count - 1 }] : [];
    }

    public sealed record CancelPublish(bool First) : GroupStep;

    public sealed record TurnClock : GroupStep;

    /// <summary>Reads up to so many. <paramref name="Member"/>: one, or -1 for all.</summary>
    public sealed record Read(int Member, int Count) : GroupStep
    {
        public override IEnumerable<GroupStep> Smaller() =>
            Count > 1 ? [this with { Count = Count / 2 }, this with { Count = Count - 1 }] : [];
    }

    public sealed record Peek(int Member) : GroupStep;

    public sealed record Take(int Member, bool ByLoop) : GroupStep;

    public sealed record Watch(int Member) : GroupStep;

    public sealed record CancelRead(int Member, bool First) : GroupStep;

    public sealed record Subscribe(MemberSpec Spec) : GroupStep;

    public sealed record End(int Member, EndKind Kind) : GroupStep;

    public sealed record Complete(string Topic) : GroupStep;
}

/// <summary>How a subscription ends by itself.</summary>
internal enum EndKind
{
    Dispose,
    LeaveLoop,
    Token,
    Drain,
}

internal sealed record GroupScenario(MemberSpec[] Members, GroupStep[] Steps)
{
    private const int MostMembers = 12;

    private static readonly string[] PatternSets = ["a:1", "a:2", "h:1", "a:*", "a:#", "h:*", "#", "a:1 h:*", "a:1 a:2", "a:2 a:1"];

    public static Gen<GroupScenario> Any { get; } = MakeScenarios();

    /// <summary>The scenario with some members or steps less, many of them first.</summary>
    public IEnumerable<GroupScenario> Shrink() =>
    [
        .. Without(Steps).Select(s => this with { Steps = s }),
        .. Without(Members).Select(m => this with { Members = m }),
        .. Enumerable.Range(0, Steps.Length)
            .SelectMany(i => Steps[i].Smaller().Select(s => this with { Steps = [.. Steps[..i], s, .. Steps[(i + 1)..]] })),
    ];

    public override string ToString() =>
        $"\n  {string.Join("\n  ", Members.Select((m, i) => $"member {i}: {m}"))}\n  {string.Join("\n  ", Steps.Select((s, i) => $"{i}: {s}"))}\n";

    private static IEnumerable<T[]> Without<T>(T[] all)
    {
        for (int size = all.Length / 2; size > 0; size /= 2)
        {
            for (int from = 0; from + size <= all.Length; from += size)
                yield return [.. all[..from], .. all[(from + size)..]];
        }
    }

    /// <summary>
    /// About half of the members ask for the same, so that they are one group; the others are groups of few. In every fourth scenario
    /// there are few members, and small, so that publishers queue for room.
    /// </summary>
    private static Gen<GroupScenario> MakeScenarios() =>
        from isTight in Gen.Frequency((3, Gen.Constant(false)), (1, Gen.Constant(true)))
        from patterns in Gen.Elements(PatternSets)
        from type in Gen.Elements(Enum.GetValues<WantedType>())
        let anySpec = Specs(Gen.Elements(PatternSets), Gen.Elements(Enum.GetValues<WantedType>()), isTight)
        let spec = Gen.OneOf(Specs(Gen.Constant(patterns), Gen.Constant(type), isTight), anySpec)
        from count in Gen.Choose(1, isTight ? 3 : MostMembers)
        from members in Gen.ArrayOf(spec, count)
        from length in Gen.Choose(1, 60)
        from topic in Gen.Elements(GroupModel.Topics)
        let topics = Gen.OneOf(Gen.Constant(topic), Gen.Elements(GroupModel.Topics))
        let step = AnyStep(spec, topics)
        from steps in Gen.ArrayOf(isTight ? Gen.OneOf(WaitingStep(topics), step) : step, length)
        select new GroupScenario(members, steps);

    private static Gen<MemberSpec> Specs(Gen<string> patterns, Gen<WantedType> types, bool isTight) =>
        from p in patterns
        from type in types
        from capacity in isTight ? Gen.Choose(1, 3) : Gen.Elements(1, 2, 3, 5, 9, 16, 33, 64, 400)
        from overflow in isTight ? Gen.Constant(OverflowPolicy.Wait) : Gen.Elements(Enum.GetValues<OverflowPolicy>())
        from seconds in Gen.Elements(0, 10, 10, 25)
        from replay in Gen.Frequency((3, Gen.Constant(0)), (1, Gen.Constant(-1)), (1, Gen.Choose(1, 30)))
        select new MemberSpec(p, type, capacity, overflow, seconds, replay);

    /// <summary>What makes publishers queue for room, get it, or give up.</summary>
    private static Gen<GroupStep> WaitingStep(Gen<string> topic) => Gen.Frequency<GroupStep>(
        (6, from t in topic from n in Gen.Choose(1, 3) select (GroupStep)new GroupStep.PublishAsync(t, EventKind.Line, -1, n)),
        (3, Gen.Constant<GroupStep>(new GroupStep.TurnClock())),
        (3, Gen.Constant<GroupStep>(new GroupStep.Read(-1, 1))));

    private static Gen<GroupStep> AnyStep(Gen<MemberSpec> spec, Gen<string> topic)
    {
        Gen<EventKind> kind = Gen.Elements(Enum.GetValues<EventKind>());
        Gen<int> member = Gen.Choose(0, (2 * MostMembers) - 1);
        Gen<int> except = Gen.Frequency((2, Gen.Constant(-1)), (1, member));
        Gen<int> some = Gen.OneOf(Gen.Constant(1), Gen.Choose(1, 5), Gen.Choose(1, 100));
        Gen<int> burst = Gen.OneOf(Gen.Choose(2, 9), Gen.Choose(10, 150));
        Gen<int> few = Gen.OneOf(Gen.Constant(1), Gen.Choose(1, 5));
        Gen<bool> either = Gen.Elements(true, false);
        return Gen.Frequency<GroupStep>(
            (12, from t in topic from k in kind from e in except select (GroupStep)new GroupStep.Publish(t, k, e, 1)),
            (8, from t in topic from k in kind from e in except from n in burst select (GroupStep)new GroupStep.Publish(t, k, e, n)),
            (15, from t in topic from k in kind from e in except from n in few select (GroupStep)new GroupStep.PublishAsync(t, k, e, n)),
            (4, from f in either select (GroupStep)new GroupStep.CancelPublish(f)),
            (5, Gen.Constant<GroupStep>(new GroupStep.TurnClock())),
            (10, from m in member from n in some select (GroupStep)new GroupStep.Read(m, n)),
            (8, from m in member select (GroupStep)new GroupStep.Read(m, int.MaxValue)),
            (4, from n in some select (GroupStep)new GroupStep.Read(-1, n)),
            (4, Gen.Constant<GroupStep>(new GroupStep.Read(-1, int.MaxValue))),
            (3, from m in member select (GroupStep)new GroupStep.Peek(m)),
            (10, from m in member from l in either select (GroupStep)new GroupStep.Take(m, l)),
            (4, from m in member select (GroupStep)new GroupStep.Watch(m)),
            (3, from m in member from f in either select (GroupStep)new GroupStep.CancelRead(m, f)),
            (5, from s in spec select (GroupStep)new GroupStep.Subscribe(s)),
            (3, from m in member from k in Gen.Elements(Enum.GetValues<EndKind>()) select (GroupStep)new GroupStep.End(m, k)),
            (1, from t in topic select (GroupStep)new GroupStep.Complete(t)));
    }
}
