namespace Samples.Runs;

/// <summary>What a subscriber saw of one run, added up event by event.</summary>
internal sealed class RunView
{
    public long Events { get; private set; }

    public int Batches { get; private set; }

    public List<RunEvent.FileSkipped> Skipped { get; } = [];

    public long Words { get; private set; }

    /// <summary>Whether the run was seen from its beginning, with every batch in its turn, to its end, and that told the same sums.</summary>
    public bool IsWhole { get; private set; }

    public bool IsFinished { get; private set; }

    public void Add(RunEvent @event)
    {
        Events++;
        switch (@event)
        {
            case RunEvent.Started:
                IsWhole = Events == 1;
                break;
            case RunEvent.BatchCounted batch:
                Batches++;
                Words += batch.Words;
                IsWhole &= batch.Number == Batches && !IsFinished;
                break;
            case RunEvent.FileSkipped skipped:
                Skipped.Add(skipped);
                break;
            case RunEvent.Finished finished:
                IsFinished = true;
                IsWhole &= finished.Batches == Batches && finished.Words == Words;
                break;
        }
    }
}
