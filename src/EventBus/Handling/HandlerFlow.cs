namespace EventBus.Handling;

/// <summary>Tells code that runs inside of a handler's call from all other, for one of its calls at a time.</summary>
/// <remarks>
/// <para>
/// A mark travels with the flow of execution of each call, and so into all that the call starts; it says which handler runs it, and says
/// so only until the call has ended. Work that outlives its call is therefore outside, also while the handler is busy with the next event.
/// </para>
/// <para>
/// A mark must not be used for two calls if something that the first one started may still carry it, and making one for each call would
/// allocate for each event. But whoever starts something that lives on allocates, if only what keeps the flow: so a call that was
/// over when it returned, and allocated nothing, leaves its mark to the next one.
/// </para>
/// <para>Whoever makes the calls, one after the other, owns all fields. Only the mark is read by others.</para>
/// </remarks>
internal sealed class HandlerFlow(HandlerLoop loop)
{
    private static readonly AsyncLocal<Mark?> Current = new();

    /// <summary>The mark for the next call, and a flow that carries it and nothing else; null: to be made.</summary>
    private Mark? _mark;
    private ExecutionContext? _context;

    /// <summary>What the thread had allocated when the call began.</summary>
    private long _allocated;
    private bool _mayLiveOn;

    /// <summary>Whether the caller runs inside of a handler's call, or in what a call that still runs has started.</summary>
    public static bool IsInside(HandlerLoop loop) => Current.Value?.RunBy == loop;

    /// <summary>A call begins. To be called by the method that makes the call, whose flow this changes.</summary>
    public void Begin()
    {
        _mayLiveOn = true;
        if (_context is null)
        {
            Current.Value = _mark = new Mark();
            _context = ExecutionContext.Capture();
        }
        else
        {
            ExecutionContext.Restore(_context);
        }

        _mark!.RunBy = loop;
        _allocated = GC.GetAllocatedBytesForCurrentThread();
        _mayLiveOn = false;
    }

    /// <summary>The call, or a part of it, returned.</summary>
    /// <param name="isOver">Whether it is over, or only waits, and so may go on on another thread.</param>
    public void Returned(bool isOver) => _mayLiveOn |= !isOver;

    /// <summary>The call is over; on the thread it was begun on, unless it has waited.</summary>
    public void End()
    {
        _mark?.RunBy = null;
        if (_mayLiveOn || GC.GetAllocatedBytesForCurrentThread() != _allocated)
            (_mark, _context) = (null, null);
    }

    /// <remarks>A class of its own, so that what carries it for long keeps no handler alive.</remarks>
    private sealed class Mark
    {
        private volatile HandlerLoop? _runBy;

        public HandlerLoop? RunBy
        {
            get => _runBy;
            set => _runBy = value;
        }
    }
}
