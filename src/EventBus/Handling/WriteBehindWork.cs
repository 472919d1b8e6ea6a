namespace EventBus.Handling;

/// <summary>What is left to do once a write-behind's lock is released.</summary>
[Flags]
internal enum WriteBehindWork
{
    None = 0,

    /// <summary>Start the timer, which is not running.</summary>
    StartTimer = 1,

    /// <summary>Start the pump, which is not running.</summary>
    StartPump = 2,
}
