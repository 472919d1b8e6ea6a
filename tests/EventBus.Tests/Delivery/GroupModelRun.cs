using EventBus.Testing;

namespace EventBus.Tests.Delivery;

/// <summary>One scenario, on a bus and on its model.</summary>
internal sealed class GroupModelRun : IDisposable
{
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(4);
    private readonly FakeTimeProvider _time = new();
    private readonly InProcessEventBus _bus;
    private readonly GroupModel _model = new();
    private readonly List<(Task<PublishResult> Task, CancellationTokenSource Cancel, GroupPublish Model)> _publishes = [];
    private readonly SortedDictionary<int, long> _sequences = [];
    private string _where = "";

    public GroupModelRun() => _bus = new(new EventBusOptions().KeepHistory("h:*", depth: GroupModel.Depth), timeProvider: _time);

    public void Dispose() => _bus.Dispose();

    public void Run(GroupScenario scenario)
    {
        foreach (MemberSpec spec in scenario.Members)
            Join(spec);
        for (int at = 0; at < scenario.Steps.Length; at++)
        {
            _where = $"after step {at}, {scenario.Steps[at]}";
            Do(scenario.Steps[at]);
            Compare();
        }

        _where = "at the end";
        foreach (GroupMember member in _model.Members)
            Read(member, int.MaxValue);
        _bus.Dispose();
        _model.Members.ForEach(m => m.Model.Complete());
        Settle();
        CompareAtRest();
    }

    private void Do(GroupStep step)
    {
        switch (step)
        {
            case GroupStep.Publish(var topic, var kind, var except, var count):
                for (int i = 0; i < count; i++)
                {
                    PublishResult result = _bus.Publish(topic, kind, _model.NextNumber, MemberAt(except)?.Subscription);
                    ShouldBe(result, _model.Publish(topic, kind, MemberAt(except), mayWait: false).Result, $"event {_model.NextNumber - 1}");
                    Settle();
                }

                break;
            case GroupStep.PublishAsync(var topic, var kind, var except, var count):
                for (int i = 0; i < count; i++)
                {
                    CancellationTokenSource cancel = new();
                    Task<PublishResult> task = _bus.PublishAsync(topic, kind, _model.NextNumber, MemberAt(except)?.Subscription, cancel.Token);
                    _publishes.Add((task, cancel, _model.Publish(topic, kind, MemberAt(except), mayWait: true)));
                    Settle();
                }

                break;
            case GroupStep.CancelPublish(var first):
                var waiting = _publishes.FindAll(p => p.Model.IsWaiting);
                if (waiting.Count > 0)
                {
                    waiting[first ? 0 : ^1].Cancel.Cancel();
                    waiting[first ? 0 : ^1].Model.Cancel(_model.Members);
                }

                break;
            case GroupStep.TurnClock:
                _time.Advance(Turn);
                _model.Members.ForEach(m => m.Model.TurnClock(Turn));
                break;
            case GroupStep.Read(-1, var count):
                _model.Members.ForEach(m => Read(m, count));
                break;
            case GroupStep.Read(var member, var count) when MemberAt(member) is { } reader:
                Read(reader, count);
                break;
            case GroupStep.Peek(var member) when MemberAt(member) is { } reader:
                ShouldBeRead(reader, reader.TryPeek(), reader.Model.Peek());
                break;
            case GroupStep.Take(var member, var byLoop) when MemberAt(member) is { } reader && reader.Waiting.Count(w => w.Takes) < 2:
                CancellationTokenSource stop = new();
                reader.Waiting.Add(new WaitingRead(reader.TakeAsync(byLoop, stop.Token), null, stop));
                break;
            case GroupStep.Watch(var member) when MemberAt(member) is { } reader && reader.Waiting.Count(w => !w.Takes) < 2:
                CancellationTokenSource stopWatching = new();
                reader.Waiting.Add(new WaitingRead(Task.FromResult<Seen?>(null), reader.WatchAsync(stopWatching.Token), stopWatching));
                break;
            case GroupStep.CancelRead(var member, var first) when MemberAt(member) is { Waiting.Count: > 0 } reader:
                WaitingRead read = reader.Waiting[first ? 0 : ^1];
                reader.Waiting.Remove(read);
                read.Cancel.Cancel();
                FluentActions.Awaiting(() => read.Task.Soon()).Should().ThrowAsync<OperationCanceledException>(_where).GetAwaiter().GetResult();
                break;
            case GroupStep.Subscribe(var spec):
                Join(spec);
                break;
            case GroupStep.End(var member, var kind) when MemberAt(member) is { } ending:
                End(ending, kind);
                break;
            case GroupStep.Complete(var topic):
                ShouldBe(_bus.Complete(topic), _model.Complete(topic), "completing");
                break;
        }

        Settle();
    }

    private void Join(MemberSpec spec) => _model.Join(GroupMember.Create(_bus, _model.Members.Count, spec));

    private GroupMember? MemberAt(int number) => number < 0 || _model.Members.Count == 0 ? null : _model.Members[number % _model.Members.Count];

    private void Read(GroupMember member, int count)
    {
        for (int i = 0; i < count; i++)
        {
            (int, long)? expected = member.Model.Read();
            ShouldBeRead(member, member.TryRead(), expected);
            if (expected is null)
                break;
        }
    }

    private static void End(GroupMember member, EndKind kind)
    {
        switch (kind)
        {
            case EndKind.Dispose:
                member.Subscription.Dispose();
                member.Model.Leave();
                break;
            case EndKind.LeaveLoop:
                member.LeaveLoop();
                member.Model.Leave();
                break;
            case EndKind.Token:
                member.EndToken.Cancel();
                member.Model.Complete();
                break;
            default:
                _ = member.Subscription.DrainAsync().AsTask();
                member.Model.Complete();
                break;
        }
    }

    /// <summary>Waits for the reads that have to end now, and finds all others waiting. They end on threads of the pool.</summary>
    private void Settle()
    {
        foreach (GroupMember member in _model.Members)
        {
            if (member.Waiting.Count == 0)
                continue;
            ChannelModel model = member.Model;
            bool isReadable = model.Count > 0;
            foreach (WaitingRead read in member.Waiting.ToArray())
            {
                // Those who only wait to be told are, all of them, also of an event that a reader beside them takes.
                if (read.Watcher is { } watcher && (isReadable || model.IsFinished))
                    EndWatch(member, watcher);
                else if (read.Takes && (model.Count > 0 || model.IsFinished))
                    ShouldBeTaken(member, read.Taker.Soon().GetAwaiter().GetResult());
                else
                    continue;
                member.Waiting.Remove(read);
            }
        }
    }

    private void EndWatch(GroupMember member, Task<bool> watcher)
    {
        if (member.Model.HasOverflowed && member.Model.IsFinished)
        {
            FluentActions.Awaiting(() => watcher.Soon()).Should().ThrowAsync<SubscriptionOverflowException>($"{_where}, {member}")
                .GetAwaiter().GetResult();
        }
        else
        {
            ShouldBe(watcher.Soon().GetAwaiter().GetResult(), !member.Model.IsFinished, $"told, {member}");
        }
    }

    private void ShouldBeTaken(GroupMember member, Seen? taken)
    {
        ChannelModel model = member.Model;
        if (model.IsFinished)
            ShouldBe(taken, model.HasOverflowed ? Seen.Overflow : Seen.End, $"taken by {member}");
        else
            ShouldBeRead(member, taken, model.Read());
    }

    private void ShouldBeRead(GroupMember member, Seen? seen, (int Event, long Missed)? expected)
    {
        if (expected is not var (number, missed))
        {
            ShouldBe(seen, null, $"read by {member}");
            return;
        }

        // Which number an event of a topic with history got is the bus's affair: but everybody sees the same, and numbers grow.
        string topic = _model.TopicOf(number);
        long sequence = seen?.Sequence ?? 0;
        ShouldBe(sequence > 0, GroupModel.KeepsHistory(topic) && seen is not null, $"the sequence of {seen}, {member}");
        ShouldBe(seen, new Seen(number, topic, missed, sequence), $"read by {member}");
        if (sequence > 0 && !_sequences.TryAdd(number, sequence))
            ShouldBe(sequence, _sequences[number], $"the sequence of {number}");
    }

    private void Compare()
    {
        foreach (GroupMember member in _model.Members)
        {
            ShouldBe(member.State, member.ModelState, $"{member}");
            foreach (WaitingRead read in member.Waiting)
                ShouldBe(read.Task.IsCompleted, false, $"the end of a wait of {member}");
        }

        foreach (string topic in GroupModel.Topics)
            ShouldBe(_bus.HasSubscribers(topic), _model.HasSubscribers(topic), topic);
        ShouldBe(_bus.GetStatistics(), _model.Statistics(), "statistics");
        ComparePublishes();
    }

    private void ComparePublishes()
    {
        foreach ((Task<PublishResult> task, _, GroupPublish publish) in _publishes)
        {
            ShouldBe(task.IsCompleted, !publish.IsWaiting, "the end of a publish");
            if (!task.IsCompleted)
                continue;
            ShouldBe(task.IsCanceled, publish.IsCancelled, "the end of a publish by its token");
            if (task.IsCompletedSuccessfully)
                ShouldBe(task.GetAwaiter().GetResult(), publish.Result, "the result of a publish that waited");
        }

        _publishes.RemoveAll(p => p.Task.IsCompleted);
        ShouldBe(_time.ScheduledTimers, _publishes.Count, "timers: one for each publish that waits");
    }

    private void CompareAtRest()
    {
        foreach (GroupMember member in _model.Members)
        {
            ShouldBe(member.State, member.ModelState, $"{member}");
            ShouldBe(member.Waiting.Count, 0, $"reads of {member} that nobody ended");
            ShouldBe(member.ReaderCompletion.IsFaulted, member.Model.HasOverflowed && member.Model.IsFinished, $"the fault of {member}");
        }

        ComparePublishes();
        ShouldBe(_publishes.Count, 0, "publishes that nobody ended");
        _sequences.Values.Should().BeInAscendingOrder(_where).And.OnlyHaveUniqueItems(_where);
    }

    /// <summary>Assertions are slow, and nearly all hold.</summary>
    private void ShouldBe<T>(T actual, T expected, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(actual, expected))
            actual.Should().Be(expected, $"{_where}: {what}");
    }
}
