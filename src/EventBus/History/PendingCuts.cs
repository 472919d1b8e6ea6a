namespace EventBus.History;

/// <summary>The cuts of many topics that are being taken. Guarded by the history's lock.</summary>
/// <remarks>
/// Such a cut is of one moment, but is taken topic by topic, so that it holds up nobody for long. So whoever is about to change a
/// topic, move it in the order of use or forget it first has every cut that still wants it take it as it is. Each topic bears the number of
/// the last cut that has it; while no cut is being taken, that is all there is to compare.
/// </remarks>
internal sealed class PendingCuts
{
    private readonly List<PendingCut> _cuts = [];

    /// <summary>The number of the cut that was begun last.</summary>
    public long LastNumber { get; private set; }

    public bool Any => _cuts.Count > 0;

    /// <summary>Adds a cut, which gets its number.</summary>
    public long Add(PendingCut cut)
    {
        _cuts.Add(cut);
        return ++LastNumber;
    }

    public void Remove(PendingCut cut) => _cuts.Remove(cut);

    /// <summary>Hands a topic, as it is, to every cut that wants it and does not have it.</summary>
    public void TakeBeforeChange(TopicHistory topic)
    {
        if (topic.CutNumber != LastNumber)
            Take(topic);
    }

    /// <summary>The same, for a topic that leaves its place in the order of use: nobody may go on from there.</summary>
    public void TakeBeforeMove(TopicHistory topic)
    {
        TakeBeforeChange(topic);
        foreach (PendingCut cut in _cuts)
            cut.StepOver(topic);
    }

    private void Take(TopicHistory topic)
    {
        foreach (PendingCut cut in _cuts)
        {
            if (cut.Number > topic.CutNumber)
                cut.Take(topic);
        }

        topic.CutNumber = LastNumber;
    }
}
