using EventBus.Delivery;

namespace EventBus.Routing;

/// <summary>The groups that listen to patterns with wildcards, found by topic. Not thread-safe: the registry's lock guards it.</summary>
/// <remarks>
/// A node is a position in one or more patterns. Matching walks the topic's segments once and keeps the set of positions that
/// can have been reached, so that its cost is bounded by segments × positions; backtracking would be exponential in the
/// number of <c>#</c>.
/// </remarks>
internal sealed class PatternTrie
{
    private readonly Node _root = new(parent: null, segment: "");

    /// <summary>The positions reached so far, and those after the next segment; empty between calls.</summary>
    private List<Node> _reached = [];
    private List<Node> _next = [];

    /// <summary>Counts steps, so that a node knows whether it is in the set of this one.</summary>
    private long _step;

    /// <summary>Lets a group listen to a pattern; if there is no memory for it, the trie is as it was.</summary>
    /// <returns>Whether nobody listened to the pattern before.</returns>
    public bool Add(TopicPattern pattern, SubscriberGroup group)
    {
        Node known = _root;
        int depth = 0;
        while (depth < pattern.Segments.Length && known.Child(pattern.Segments[depth]) is { } child)
        {
            known = child;
            depth++;
        }

        // What is new is hung in last, when nothing else can fail.
        Node node = known;
        Node? branch = null;
        foreach (string segment in pattern.Segments[depth..])
        {
            Node next = new(node, segment);
            if (branch is null)
                branch = next;
            else
                node.AddChild(next);
            node = next;
        }

        PatternGroups groups = node.Groups ??= new PatternGroups();
        bool isNew = groups.Groups.Count == 0;
        groups.Add(group);
        if (branch is not null)
            known.AddChild(branch);
        return isNew;
    }

    public void Remove(TopicPattern pattern, SubscriberGroup group)
    {
        Node? node = _root;
        foreach (string segment in pattern.Segments)
        {
            node = node.Child(segment);
            if (node is null)
                return;
        }

        node.Groups?.Remove(group);
        while (node is { IsUnused: true, Parent: { } parent })
        {
            parent.RemoveChild(node.Segment);
            node = parent;
        }
    }

    /// <summary>Adds the groups of every pattern that matches a topic to a route, each once.</summary>
    public void Match(string topic, RouteBuilder route)
    {
        if (_root.IsUnused)
            return;
        try
        {
            Walk(topic);
            foreach (Node node in _reached)
            {
                if (node.Groups is { Groups.Count: > 0 } groups)
                    route.Add(groups);
            }
        }
        finally
        {
            // Also if there was no memory for a list to grow: nothing of this topic is left for the next.
            _reached.Clear();
            _next.Clear();
        }
    }

    /// <summary>Reaches the positions that a topic leads to.</summary>
    private void Walk(string topic)
    {
        _step++;
        bool isOwn = TopicRules.IsOwn(topic);
        bool isFirst = true;

        // The bus's own topics are not matched by a wildcard in the first position.
        if (isOwn)
            _reached.Add(_root);
        else
            Reach(_reached, _root);
        foreach (Range range in topic.AsSpan().Split(TopicRules.Separator))
        {
            ReadOnlySpan<char> segment = topic.AsSpan(range);
            _step++;
            foreach (Node node in _reached)
            {
                if (node.IsAnySegments)
                    Reach(_next, node);
                if (node.Child(segment) is { } literal)
                    Reach(_next, literal);
                if (node.OneSegment is { } one && !(isOwn && isFirst))
                    Reach(_next, one);
            }

            isFirst = false;
            _reached.Clear();
            (_reached, _next) = (_next, _reached);
            if (_reached.Count == 0)
                return;
        }
    }

    /// <summary>Adds a position to a set, and those behind it that need no segment, as '#' may stand for none.</summary>
    private void Reach(List<Node> set, Node node)
    {
        for (Node? reached = node; reached is not null && reached.Step != _step; reached = reached.AnySegments)
        {
            reached.Step = _step;
            set.Add(reached);
        }
    }

    private sealed class Node(Node? parent, string segment)
    {
        private Dictionary<string, Node>? _literals;

        public Node? Parent => parent;

        public string Segment => segment;

        public PatternGroups? Groups { get; set; }

        public Node? OneSegment { get; private set; }

        public Node? AnySegments { get; private set; }

        public bool IsAnySegments { get; } = TopicRules.IsAnySegments(segment);

        /// <summary>The step that reached this node last.</summary>
        public long Step { get; set; }

        public bool IsUnused => Groups is not { Groups.Count: > 0 } && OneSegment is null && AnySegments is null && _literals is not { Count: > 0 };

        /// <summary>The child for a segment of a topic, or for one of a pattern, where wildcards are children of their own.</summary>
        public Node? Child(string segment) =>
            TopicRules.IsOneSegment(segment) ? OneSegment : TopicRules.IsAnySegments(segment) ? AnySegments : Child(segment.AsSpan());

        public Node? Child(ReadOnlySpan<char> literal) =>
            _literals is not null && _literals.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(literal, out Node? child) ? child : null;

        public void AddChild(Node child)
        {
            if (child.IsAnySegments)
                AnySegments = child;
            else if (TopicRules.IsOneSegment(child.Segment))
                OneSegment = child;
            else
                (_literals ??= new Dictionary<string, Node>(StringComparer.Ordinal)).Add(child.Segment, child);
        }

        public void RemoveChild(string segment)
        {
            if (TopicRules.IsOneSegment(segment))
                OneSegment = null;
            else if (TopicRules.IsAnySegments(segment))
                AnySegments = null;
            else if (_literals!.Remove(segment))
                _literals.Shrink();
        }
    }
}
