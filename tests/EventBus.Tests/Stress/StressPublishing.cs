using System.Collections.Concurrent;

namespace EventBus.Tests.Stress;

/// <summary>What the publishers of a round do. Each event is accounted for before it is published.</summary>
internal sealed class StressPublishing(InProcessEventBus bus, Streams streams, bool cancels, Func<Random, StressMember?> anyMember)
{
    private long _matched;

    /// <summary>What all publishes matched whose result is known.</summary>
    public long Matched => Interlocked.Read(ref _matched);

    /// <summary>Some of the events, of topics without history.</summary>
    public ConcurrentBag<WeakReference> Samples { get; } = [];

    /// <summary>Publishes so many events, one by one and in bursts, on any topic.</summary>
    public async Task RunAsync(int publisher, int count, Random random)
    {
        for (int left = count; left > 0;)
        {
            int topic = random.Next(Streams.Topics.Length), kind = random.Next(Streams.Kinds);
            int burst = random.Next(20) == 0 ? random.Next(2, 150) : 1;
            for (; burst > 0 && left > 0; burst--, left--)
                await PublishOneAsync(Streams.IndexOf(publisher, topic, kind), random);
            if (random.Next(100) == 0)
                bus.Complete("e:1");
            if (random.Next(16) == 0)
                await Task.Yield();
        }
    }

    /// <summary>One more event of a stream, for all.</summary>
    public PublishResult PublishLast(int stream)
    {
        int number = streams.Begin(stream);
        PublishResult result = Publish(stream, number, except: null);
        streams.End(stream, number);
        Interlocked.Add(ref _matched, result.Matched);
        return result;
    }

    private async Task PublishOneAsync(int stream, Random random)
    {
        int number = streams.Begin(stream);
        StressMember? except = random.Next(10) == 0 ? anyMember(random) : null;
        if (except is not null && except.Spec.Wants(stream))
            except.Account.Excepted.TryAdd((stream, number), true);
        if (random.Next(8) > 0)
        {
            Interlocked.Add(ref _matched, Publish(stream, number, except?.Subscription).Matched);
        }
        else
        {
            using CancellationTokenSource cancel = new();
            try
            {
                Task<PublishResult> publishing = PublishAsync(stream, number, except?.Subscription, cancel.Token);
                if (cancels && random.Next(2) == 0)
                    await cancel.CancelAsync();
                Interlocked.Add(ref _matched, (await publishing).Matched);
            }
            catch (OperationCanceledException)
            {
                // Those that were full lost it.
            }
        }

        streams.End(stream, number);
    }

    private PublishResult Publish(int stream, int number, Subscription? except)
    {
        string topic = Streams.TopicOf(stream);
        return Streams.IsValue(stream)
            ? bus.Publish(topic, new StreamedValue(stream, number, Streams.CheckOf(stream, number), null), except)
            : bus.Publish(topic, Sampled(stream, number), except);
    }

    private Task<PublishResult> PublishAsync(int stream, int number, Subscription? except, CancellationToken cancel)
    {
        string topic = Streams.TopicOf(stream);
        return Streams.IsValue(stream)
            ? bus.PublishAsync(topic, new StreamedValue(stream, number, Streams.CheckOf(stream, number), null), except, cancel).AsTask()
            : bus.PublishAsync(topic, Sampled(stream, number), except, cancel).AsTask();
    }

    private StreamedObject Sampled(int stream, int number)
    {
        StreamedObject e = new(stream, number, Streams.CheckOf(stream, number));
        if (number % 10 == 0 && !Streams.KeepsHistory(Streams.TopicOf(stream)))
            Samples.Add(new WeakReference(e));
        return e;
    }
}
