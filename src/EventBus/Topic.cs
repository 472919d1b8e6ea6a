namespace EventBus;

/// <summary>One concrete topic that carries only <typeparamref name="TEvent"/>, checked by the compiler.</summary>
/// <typeparam name="TEvent">The events of the topic.</typeparam>
/// <remarks>
/// Keep one as a static field where the event is declared, and publishing something else to it does not compile. There is no
/// implicit conversion to string: it would undo the check.
/// </remarks>
public readonly record struct Topic<TEvent>
{
    /// <summary>Names a topic.</summary>
    /// <param name="Name">A valid topic; see <see cref="Topic.IsValid"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="Name"/> is no valid topic.</exception>
    public Topic(string Name)
    {
        this.Name = Name;
    }

    /// <summary>The topic; null only in a <c>default</c> value, which every call refuses.</summary>
    public string Name
    {
        get;
        init
        {
            TopicRules.ThrowIfNoTopic(value, nameof(Name));
            field = value;
        }
    }

    /// <summary>The same topic for one kind of its events, to hear only those.</summary>
    /// <typeparam name="TDerived">A kind of <typeparamref name="TEvent"/>.</typeparam>
    /// <returns>The topic under the narrower type.</returns>
    public Topic<TDerived> As<TDerived>()
        where TDerived : TEvent => new(Name);

    /// <summary>Takes the topic apart.</summary>
    /// <param name="Name">The topic's name.</param>
    public void Deconstruct(out string Name) => Name = this.Name;

    /// <inheritdoc/>
    public override string ToString() => Name ?? "";
}

/// <summary>Building and checking topics.</summary>
/// <remarks>
/// A topic is 1 to 255 UTF-16 characters, split into segments by <c>:</c>. No segment may be empty, and none may be exactly
/// <c>*</c> or <c>#</c>; control characters are not allowed. Comparison is ordinal. A topic whose first segment starts with
/// <c>$</c> is the bus's own: it can be listened to but not published to.
/// </remarks>
public static class Topic
{
    /// <summary>The greatest length of a topic or a pattern, in UTF-16 characters (the limit of an AMQP routing key).</summary>
    public const int MaxLength = 255;

    /// <summary>Joins segments to a topic: <c>Topic.Join("agent", id)</c>. Validates, and escapes nothing.</summary>
    /// <param name="segments">The segments; a segment with a <c>:</c> in it is refused, as it would become two.</param>
    /// <returns>The topic.</returns>
    /// <exception cref="ArgumentException">There are no segments, or one is not allowed; the message names it.</exception>
    public static string Join(params ReadOnlySpan<string> segments)
    {
        if (segments.IsEmpty)
            throw new ArgumentException("A topic needs at least one segment, and none was given.", nameof(segments));
        foreach (string segment in segments)
        {
            if (segment is null)
                throw new ArgumentException("A segment is null; every segment of a topic is at least one character.", nameof(segments));
            if (segment.Contains(TopicRules.Separator))
            {
                throw new ArgumentException(
                    $"The segment \"{TopicRules.Quote(segment)}\" contains '{TopicRules.Separator}', which separates segments; " +
                    "replace it, or pass the parts as segments of their own.",
                    nameof(segments));
            }
        }

        string topic = string.Join(TopicRules.Separator, segments);
        TopicRules.ThrowIfNoTopic(topic, nameof(segments));
        return topic;
    }

    /// <summary>Whether a string is a valid topic.</summary>
    /// <param name="topic">The string; null is no topic.</param>
    /// <returns>True if it is.</returns>
    public static bool IsValid(string topic) => TopicRules.TopicFault(topic) is null;
}
