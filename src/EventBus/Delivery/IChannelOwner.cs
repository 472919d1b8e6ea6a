using EventBus.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Delivery;

/// <summary>
/// What a channel tells the bus it belongs to. Always called with no lock held; an interface because delivery must not know
/// routing.
/// </summary>
internal interface IChannelOwner
{
    TimeProvider TimeProvider { get; }

    BusTelemetry Telemetry { get; }

    ILogger Logger { get; }

    /// <summary>The channel takes no more events: remove it from all routes. Once per channel.</summary>
    void Ended(SubscriberChannel channel);

    /// <summary>The channel has ended and holds nothing more: forget it. Once per channel, and not always after <see cref="Ended"/>.</summary>
    void Finished(SubscriberChannel channel);

    /// <summary>Nothing refers to the channel's subscription any more. Called by the finalizer: it must not block.</summary>
    void Abandoned(SubscriberChannel channel);

    /// <summary>An observer of the channel's events threw.</summary>
    void ObserverFailed(SubscriberChannel channel, Exception exception);

    /// <summary>The channel lost events.</summary>
    void Lost(in Loss loss);

    /// <summary>A handler gave up on an event, or on a batch, or had to end, and has logged it.</summary>
    void HandlerFailed(BusEvent.HandlerFailed failure);
}

/// <summary>One or more events lost by a channel.</summary>
/// <param name="Channel">Who lost them.</param>
/// <param name="Topic">Where the event was published that this happened to, or because of.</param>
/// <param name="Count">How many.</param>
/// <param name="Dropped">The channel's losses so far.</param>
/// <param name="BeginsEpisode">Whether the channel had not been losing events, those of the bus itself aside, since it was last empty.</param>
internal readonly record struct Loss(SubscriberChannel Channel, EventOrigin Topic, int Count, long Dropped, bool BeginsEpisode);
