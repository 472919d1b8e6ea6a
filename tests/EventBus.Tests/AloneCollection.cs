namespace EventBus.Tests;

/// <summary>Tests that measure the whole process's memory: nothing else runs meanwhile.</summary>
[CollectionDefinition(nameof(AloneCollection), DisableParallelization = true)]
public sealed class AloneCollection;
