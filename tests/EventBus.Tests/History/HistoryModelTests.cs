using System.Threading.Channels;
using EventBus.Testing;

namespace EventBus.Tests.History;

/// <summary>
/// Random publishes, subscribes with every kind of replay on topics and patterns, completions, forgets, evictions, ageing and reads:
/// whatever can be seen is as the model says.
/// </summary>
public sealed class HistoryModelTests
{
    private static readonly string[] Topics = ["run:1", "run:2", "run:3", "run:4", "run:1:sub", "log", "free", "free:1"];
    private static readonly string[] Patterns = [.. Topics, "run:*", "run:#", "#", "*", "free:#", "#:1"];
    private static readonly Type[][] LatestOnly =
    [
        [], [typeof(RunEvent.Progress)], [typeof(RunEvent.DetailedProgress), typeof(RunEvent.Progress)], [typeof(RunEvent.Note)], [typeof(RunEvent)],
    ];
    private static readonly int[] Capacities = [1, 2, 5, 1_000];

    [Fact]
    public void Bus_AnyHistoryOfCalls_DoesWhatTheModelDoes() => Script.CheckAll(600, 400, script => new Run(script).Play());

    private sealed class Run
    {
        private readonly Script _script;
        private readonly FakeTimeProvider _clock = new();
        private readonly EventBusOptions _options;
        private HistoryModel _model = null!;
        private readonly List<(Subscription Subscription, Func<Seen?> Read, ModelSubscription Model)> _subscriptions = [];
        private readonly List<string> _log = [];
        private int _number;

        public Run(Script script)
        {
            _script = script;
            _options = new EventBusOptions()
                .KeepHistory("run:2", depth: 1 + script.Next(6), maxAge: script.Next(2) == 0 ? null : TimeSpan.FromSeconds(1 + script.Next(30)))
                .KeepHistory(
                    "run:#",
                    depth: 1 + script.Next(12),
                    maxTopics: 1 + script.Next(3),
                    maxAge: script.Next(2) == 0 ? null : TimeSpan.FromSeconds(1 + script.Next(30)),
                    latestOnly: script.Pick(LatestOnly))
                .KeepHistory("log", depth: 3, maxAge: TimeSpan.FromSeconds(10), latestOnly: script.Pick(LatestOnly));
        }

        public void Play()
        {
            using InProcessEventBus bus = new(_options, timeProvider: _clock);

            // Where its numbers begin depends on what other buses of the process have issued.
            bus.Publish<RunEvent>("log", new RunEvent.Line(0));
            _model = new HistoryModel([.. _options.History], bus.LastSequence("log"));
            _model.Publish("log", new RunEvent.Line(0), _clock.GetUtcNow());
            try
            {
                while (!_script.IsAtEnd)
                    Step(bus);
                CheckAll(bus);
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"{exception.Message}\nafter:\n{string.Join('\n', _log)}", exception);
            }
        }

        private void Step(InProcessEventBus bus)
        {
            DateTimeOffset now = _clock.GetUtcNow();
            switch (_script.Next(16))
            {
                case < 7:
                    string topic = _script.Pick(Topics);
                    RunEvent @event = _script.Next(5) switch
                    {
                        0 or 1 => new RunEvent.Line(++_number),
                        2 => new RunEvent.Note(++_number),
                        3 => new RunEvent.Progress(++_number),
                        _ => new RunEvent.DetailedProgress(++_number),
                    };
                    _log.Add($"publish {@event} to {topic}");
                    bus.Publish(topic, @event).Should().Be(_model.Publish(topic, @event, now));
                    break;
                case < 10:
                    Subscribe(bus, now);
                    break;
                case 10:
                    string ended = _script.Pick(Topics);
                    _log.Add($"complete {ended}");
                    bus.Complete(ended).Should().Be(_model.Complete(ended, now));
                    break;
                case 11:
                    string forgotten = _script.Pick(Topics);
                    _log.Add($"forget {forgotten}");
                    bus.Forget(forgotten).Should().Be(_model.Forget(forgotten));
                    break;
                case 12:
                    _log.Add("advance");
                    _clock.Advance(TimeSpan.FromSeconds(_script.Next(8)));
                    break;
                case 13 when _subscriptions.Count > 0:
                    int leaving = _script.Next(_subscriptions.Count);
                    _log.Add($"dispose {_subscriptions[leaving].Subscription.Id}");
                    _subscriptions[leaving].Subscription.Dispose();
                    _model.Subscriptions.Remove(_subscriptions[leaving].Model);
                    _subscriptions.RemoveAt(leaving);
                    break;
                case 14 when _subscriptions.Count > 0:
                    ReadSome(_script.Next(_subscriptions.Count), 1 + _script.Next(5));
                    break;
                default:
                    CheckHistory(bus);
                    break;
            }
        }

        private void Subscribe(InProcessEventBus bus, DateTimeOffset now)
        {
            string[] patterns = new string[1 + (_script.Next(3) / 2)];
            for (int i = 0; i < patterns.Length; i++)
                patterns[i] = _script.Pick(Patterns);
            patterns = [.. patterns.Distinct()];
            (Replay replay, ReplayKind kind, long value) = NextReplay();
            bool linesOnly = _script.Next(3) == 0;
            SubscriptionOptions options = new() { Replay = replay, Capacity = _script.Pick(Capacities) };
            _log.Add($"subscribe to {string.Join(' ', patterns)} with {replay}, capacity {options.Capacity}, lines only: {linesOnly}");

            (ModelSubscription model, bool lacks) = _model.Subscribe(patterns, linesOnly, kind, value, options.Capacity, now);
            (Subscription subscription, Func<Seen?> read) = linesOnly
                ? Open(bus.Subscribe<RunEvent.Line>(patterns, options))
                : Open(bus.Subscribe<RunEvent>(patterns, options));
            _subscriptions.Add((subscription, read, model));

            subscription.Count.Should().Be(model.Replay.Count);
            if (lacks)
                subscription.ReplayTruncated.Should().BeTrue("something it asked for is gone");
            else if (kind != ReplayKind.After || !_model.HasLost)
                subscription.ReplayTruncated.Should().BeFalse("nothing is gone, and it asked from a position this bus issued");
        }

        private (Replay Replay, ReplayKind Kind, long Value) NextReplay()
        {
            long value;
            switch (_script.Next(5))
            {
                case 0:
                    return (Replay.None, ReplayKind.None, 0);
                case 1:
                    return (Replay.All, ReplayKind.All, 0);
                case 2:
                    value = _script.Next(6);
                    return (Replay.Last((int)value), ReplayKind.Last, value);
                case 3:
                    value = _model.LastSequence - _script.Next(12);
                    return (Replay.After(value), ReplayKind.After, value);
                default:
                    value = _script.Pick([0L, 1L, _model.LastSequence + 1, _model.LastSequence, long.MaxValue]);
                    return (Replay.After(value), ReplayKind.After, value);
            }
        }

        private static (Subscription Subscription, Func<Seen?> Read) Open<TEvent>(Subscription<TEvent> subscription)
            where TEvent : RunEvent
        {
            ChannelReader<Envelope<TEvent>> reader = subscription.Reader;
            return (subscription, () => reader.TryRead(out Envelope<TEvent> e)
                ? new Seen(e.Topic, e.Event, e.Sequence, e.PublishedAt, e.Missed)
                : null);
        }

        private void ReadSome(int index, int count)
        {
            (Subscription subscription, Func<Seen?> read, ModelSubscription model) = _subscriptions[index];
            _log.Add($"read {count} of {subscription.Id}");
            for (int i = 0; i < count; i++)
            {
                Seen? expected = model.Read() is { } e ? new Seen(e.Topic, e.Event, e.Sequence, e.PublishedAt, e.Missed) : null;
                read().Should().Be(expected);
                if (expected is null)
                    break;
            }
        }

        private void CheckHistory(InProcessEventBus bus)
        {
            string pattern = _script.Pick(Patterns);
            _log.Add($"look at {pattern}");
            _model.Expire(_clock.GetUtcNow());
            bus.GetHistory<RunEvent>(pattern).Select(e => (e.Topic, e.Event, e.Sequence)).Should()
                .Equal(_model.Events(pattern).Select(e => (e.Topic, e.Event, e.Sequence)));
            EventBusStatistics statistics = bus.GetStatistics();
            statistics.HistoryEvents.Should().Be(_model.Events("#").Count());
            statistics.HistoryTopics.Should().Be(_model.Topics);
            statistics.RefusedAfterCompletion.Should().Be(_model.Refused);
        }

        private void CheckAll(InProcessEventBus bus)
        {
            CheckHistory(bus);
            for (int i = 0; i < _subscriptions.Count; i++)
            {
                (Subscription subscription, _, ModelSubscription model) = _subscriptions[i];
                subscription.Count.Should().Be(model.Replay.Count + model.Queue.Count);
                subscription.Dropped.Should().Be(model.Dropped);
                ReadSome(i, int.MaxValue);
                subscription.Completion.IsCompleted.Should().Be(!model.IsOpen, "{0} has ended", subscription.Id);
            }
        }
    }

    private sealed record Seen(string Topic, RunEvent Event, long Sequence, DateTimeOffset PublishedAt, long Missed);
}
