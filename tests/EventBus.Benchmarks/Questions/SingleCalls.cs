using System.Threading.Channels;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>Single calls, measured by BenchmarkDotNet: where its care is worth its time.</summary>
[MemoryDiagnoser]
public class SingleCalls : IDisposable
{
    private readonly InProcessEventBus _bus = new();
    private readonly ChannelReader<Envelope<Tick>> _reader;
    private readonly Channel<Tick> _channel = Channel.CreateBounded<Tick>(new BoundedChannelOptions(1024) { SingleReader = true });
    private readonly TopicPattern _pattern = TopicPattern.Parse("agent:*:state:#");

    public SingleCalls() => _reader = _bus.Subscribe<Tick>("market:ticks").Reader;

    /// <summary>Runs them in this process, so that the project needs not be built again.</summary>
    internal static void Run() =>
        BenchmarkRunner.Run<SingleCalls>(DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance)));

    [Benchmark(Baseline = true)]
    public bool ChannelWriteAndRead() => _channel.Writer.TryWrite(new Tick(1, 1, 2, 3)) && _channel.Reader.TryRead(out _);

    [Benchmark]
    public bool PublishAndRead() => _bus.Publish("market:ticks", new Tick(1, 1, 2, 3)).Matched == 1 && _reader.TryRead(out _);

    [Benchmark]
    public PublishResult PublishToNobody() => _bus.Publish("market:nothing", new Tick(1, 1, 2, 3));

    [Benchmark]
    public bool HasSubscribers() => _bus.HasSubscribers("market:ticks");

    [Benchmark]
    public void SubscribeAndDispose() => _bus.Subscribe<Tick>("market:other").Dispose();

    [Benchmark]
    public bool PatternMatches() => _pattern.Matches("agent:worker-7:state:load:high");

    [GlobalCleanup]
    public void Dispose()
    {
        _bus.Dispose();
        GC.SuppressFinalize(this);
    }
}
