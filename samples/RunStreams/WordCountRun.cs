using EventBus;

namespace Samples.Runs;

/// <summary>Counts the words of some files and publishes how it goes to its own topic, which it completes at the end.</summary>
internal sealed class WordCountRun
{
    /// <summary>How many events of a run are kept for those who come late.</summary>
    public const int HistoryDepth = 500;

    /// <summary>
    /// How long a run waits for a subscriber that is full. Only one that hangs takes so long: who merely is slow and must see all
    /// holds the run up instead of losing events.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>How many characters make a batch.</summary>
    private const int BlockLength = 4096;

    /// <summary>
    /// Late subscribers are let in when half the files are done, and after this many events at the latest: while history still
    /// holds the run's beginning.
    /// </summary>
    private const int MostEventsBeforeHalf = HistoryDepth / 2;

    private readonly IEventBus _bus;
    private readonly string _name;
    private readonly IReadOnlyList<string> _files;
    private readonly TaskCompletionSource _halfway = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _batches;
    private int _counted;
    private long _words;

    public WordCountRun(IEventBus bus, string name, IReadOnlyList<string> files)
    {
        _bus = bus;
        _name = name;
        _files = files;
        Topic = EventBus.Topic.Join("run", name);
    }

    public string Topic { get; }

    /// <summary>Ends when the run is half done and waits to go on.</summary>
    public Task Halfway => _halfway.Task;

    /// <summary>What the publish calls returned, summed up; to be read when the run is over.</summary>
    public long Published { get; private set; }

    public long Matched { get; private set; }

    public long Dropped { get; private set; }

    /// <summary>Runs to the end.</summary>
    /// <param name="goOn">What to wait for at half.</param>
    public async Task ExecuteAsync(Task goOn)
    {
        try
        {
            await PublishAsync(new RunEvent.Started(_name, _files.Count), goOn);
            for (int i = 0; i < _files.Count; i++)
            {
                if (i == _files.Count / 2)
                    await WaitAtHalfAsync(goOn);
                await CountAsync(_files[i], goOn);
            }

            await WaitAtHalfAsync(goOn);
            await PublishAsync(new RunEvent.Finished(_name, _counted, _batches, _words), goOn);
        }
        finally
        {
            // Whoever waits for this run must not wait for ever, whatever went wrong.
            _halfway.TrySetResult();
            _bus.Complete(Topic);
        }
    }

    private async Task CountAsync(string file, Task goOn)
    {
        try
        {
            using StreamReader reader = new(file);
            WordCounter counter = default;
            char[] block = new char[BlockLength];
            for (int read; (read = await reader.ReadBlockAsync(block)) > 0;)
            {
                long words = counter.Count(block.AsSpan(0, read));
                _words += words;
                await PublishAsync(new RunEvent.BatchCounted(_name, ++_batches, file, words), goOn);
            }

            _counted++;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            await PublishAsync(new RunEvent.FileSkipped(_name, file, exception.Message), goOn);
        }
    }

    private async Task PublishAsync(RunEvent @event, Task goOn)
    {
        // With back-pressure: who reads in earnest loses nothing, and who chose to drop holds nobody up.
        PublishResult result = await _bus.PublishAsync(Topic, @event);
        Published++;
        Matched += result.Matched;
        Dropped += result.Dropped;
        if (Published == MostEventsBeforeHalf)
            await WaitAtHalfAsync(goOn);
    }

    private Task WaitAtHalfAsync(Task goOn)
    {
        _halfway.TrySetResult();
        return goOn;
    }
}
