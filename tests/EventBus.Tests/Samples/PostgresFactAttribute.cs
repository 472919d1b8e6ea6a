namespace EventBus.Tests.Samples;

/// <summary>A test that needs a real PostgreSQL, and is skipped, with the reason, where there is none and none can be installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PostgresFactAttribute : FactAttribute
{
    public PostgresFactAttribute() => Skip = PostgresPrograms.Fault;
}
