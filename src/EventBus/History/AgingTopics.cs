namespace EventBus.History;

/// <summary>The topics of a rule that hold events which grow too old, the one that may have the oldest first. Guarded by the history's lock.</summary>
/// <remarks>
/// A binary heap. A topic keeps its place while events come and go, so that publishing does nothing here: the time by which it is
/// ordered is one before which nothing in it was published, and is set right when it has come to the top.
/// </remarks>
internal sealed class AgingTopics
{
    private const int FirstLength = 16;
    private TopicHistory[] _heap = [];
    private int _count;

    /// <summary>The topic that may have the oldest event; null: none has any.</summary>
    public TopicHistory? Oldest => _count > 0 ? _heap[0] : null;

    /// <summary>Adds a topic if it is not in. Out of memory it changes nothing.</summary>
    public void Add(TopicHistory topic, long ticks)
    {
        if (topic.AgePlace >= 0)
            return;
        if (_count == _heap.Length)
        {
            Allocation.Begin();
            Array.Resize(ref _heap, Math.Max(FirstLength, _count * 2));
        }

        topic.AgesSince = ticks;
        Raise(topic, _count++);
    }

    /// <summary>Puts a topic that is in where its oldest event belongs; out, if it has none.</summary>
    public void Update(TopicHistory topic)
    {
        if (topic.Count == 0)
        {
            Remove(topic);
            return;
        }

        topic.AgesSince = topic.OldestTicks;
        Place(topic, topic.AgePlace);
    }

    /// <summary>Takes a topic out if it is in.</summary>
    public void Remove(TopicHistory topic)
    {
        int place = topic.AgePlace;
        if (place < 0)
            return;
        topic.AgePlace = -1;
        TopicHistory last = _heap[--_count];
        _heap[_count] = null!;
        if (last != topic)
            Place(last, place);
        else if (_count == 0)
            _heap = [];
    }

    public void Clear()
    {
        _heap = [];
        _count = 0;
    }

    private void Place(TopicHistory topic, int place)
    {
        Raise(topic, place);
        Lower(topic, topic.AgePlace);
    }

    private void Raise(TopicHistory topic, int place)
    {
        while (place > 0 && _heap[(place - 1) / 2].AgesSince > topic.AgesSince)
        {
            Set(place, _heap[(place - 1) / 2]);
            place = (place - 1) / 2;
        }

        Set(place, topic);
    }

    private void Lower(TopicHistory topic, int place)
    {
        while ((2 * place) + 1 is var child && child < _count)
        {
            if (child + 1 < _count && _heap[child + 1].AgesSince < _heap[child].AgesSince)
                child++;
            if (_heap[child].AgesSince >= topic.AgesSince)
                break;
            Set(place, _heap[child]);
            place = child;
        }

        Set(place, topic);
    }

    private void Set(int place, TopicHistory topic)
    {
        _heap[place] = topic;
        topic.AgePlace = place;
    }
}
