namespace EventBus.Delivery;

/// <summary>When a channel's losses are reported: as they begin, but at most once in <see cref="Interval"/>.</summary>
/// <remarks>
/// <para>
/// What begins sooner is held back, and told with the first loss after that; if none comes, the subscriber has caught up. So there is no
/// timer, and while a report is held back a loss costs one comparison with the time its event was stamped with.
/// </para>
/// <para>One interlocked number: the time from which a report may be made, in UTC ticks; negative while one is held back.</para>
/// </remarks>
internal struct LagReports
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private long _next;

    /// <summary>Whether a report is held back.</summary>
    public bool IsHoldingBack => Volatile.Read(ref _next) < 0;

    /// <summary>Whether a loss is to be told at all, as far as it can be said without asking for the time.</summary>
    /// <param name="begins">Whether it begins an episode of losses.</param>
    /// <param name="stampTicks">The time of the event that it happened to.</param>
    public bool IsConcernedBy(bool begins, long stampTicks)
    {
        long next = Volatile.Read(ref _next);
        return next < 0 ? IsDue(-next, stampTicks) : begins;
    }

    /// <summary>Whether a loss is to be reported now, which is then taken to be done.</summary>
    /// <returns>False if it is part of what was reported, or held back.</returns>
    public bool TryPass(bool begins, long nowTicks)
    {
        while (true)
        {
            long next = Volatile.Read(ref _next);
            if (next >= 0 && !begins)
                return false;
            bool isDue = IsDue(Math.Abs(next), nowTicks);
            long then = isDue ? nowTicks + Interval.Ticks : -Math.Abs(next);

            // Two that lost at once: the other one may have reported it.
            if (Interlocked.CompareExchange(ref _next, then, next) == next)
                return isDue;
        }
    }

    /// <summary>Also due if the clock was set back, which must not silence a subscriber for as long.</summary>
    private static bool IsDue(long next, long now) => now >= next || now < next - (2 * Interval.Ticks);
}
