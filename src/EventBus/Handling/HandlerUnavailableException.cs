namespace EventBus.Handling;

/// <summary>Thrown by a <see cref="HandlerCall{TEvent}"/> that can reach its handler no more, because its container is disposed.</summary>
internal sealed class HandlerUnavailableException(Exception innerException)
    : Exception("The container that creates the handler is disposed.", innerException);
