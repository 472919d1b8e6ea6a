using System.Reflection;
using EventBus.Delivery;

namespace EventBus.Tests.Delivery;

/// <summary>Whether the pieces of one group's log agree with its members, while nothing goes on.</summary>
internal static class LogPieces
{
    private const BindingFlags Hidden = BindingFlags.Instance | BindingFlags.NonPublic;
    private static readonly FieldInfo CursorField = typeof(ChannelIntake<object>).GetField("Cursor", Hidden)!;
    private static readonly FieldInfo PieceField = typeof(LogCursor<object>).GetField("_piece", Hidden)!;
    private static readonly FieldInfo UntilField = typeof(LogCursor<object>).GetField("_until", Hidden)!;

    /// <summary>Each piece counts who has to pass it, and when nobody has anything to read, nothing is there.</summary>
    /// <param name="subscriptions">All of the group, those included that have ended and are not read.</param>
    public static void Check(IEnumerable<Subscription<object>> subscriptions)
    {
        Dictionary<LogPiece<object>, int> readers = [];
        SubscriberGroup<object>? group = null;
        bool isAnyUnread = false;
        foreach (Subscription<object> subscription in subscriptions)
        {
            if (subscription.Channel.Group is null)
                continue;
            group = (SubscriberGroup<object>)subscription.Channel.Group;
            object cursor = CursorField.GetValue(subscription.Channel)!;
            LogPiece<object>? piece = (LogPiece<object>?)PieceField.GetValue(cursor);
            long until = Math.Min((long)UntilField.GetValue(cursor)!, group.Tail);
            bool isInLog = subscription.Channel.IsInLog;
            isAnyUnread |= subscription.Channel.Position < until;
            while (piece is not null)
            {
                readers[piece] = readers.GetValueOrDefault(piece) + 1;
                piece = !isInLog && until <= piece.End ? null : piece.Next;
            }
        }

        if (group is null)
            return;
        readers.TryAdd(group.LockedLast, 0);
        foreach ((LogPiece<object> piece, int count) in readers)
        {
            if (piece.Readers != count)
                throw new InvalidOperationException($"The piece from {piece.Base} to {piece.End} has {piece.Readers} readers, not {count}.");
        }

        if (!isAnyUnread && Array.FindIndex(group.LockedLast.Slots, s => s.Event is not null) is >= 0 and int index)
            throw new InvalidOperationException($"All is read, but slot {index} of the last piece, at {group.LockedLast.Base}, is not empty.");
    }
}
