using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace EventBus.Tests.Delivery;

/// <summary>
/// Many subscriptions of one bus, with the same and with other patterns and types, each against a model of its own: what they share inside
/// must not be seen outside. 500 scenarios; more by hand: <c>MODEL_ROUNDS=100 dotnet test --filter GroupModel</c> runs 100 times as many.
/// </summary>
public sealed class GroupModelTests
{
    private const int Scenarios = 500;

    [Fact]
    public async Task Subscriptions_AnyNumberAndAnySteps_AgreeWithTheirModels()
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("MODEL_ROUNDS"), CultureInfo.InvariantCulture, out int asked) ? asked : 1;
        bool hasHung = false;

        // A failure prints the scenario, shrunk, and the seed to run it again. On a thread of its own: a run blocks while the pool wakes readers.
        await Task.Factory.StartNew(
            () => Prop.ForAll(Arb.From(GroupScenario.Any, Shrink), Agrees).Check(Config.QuickThrowOnFailure.WithMaxTest(Scenarios * rounds)),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);

        void Agrees(GroupScenario scenario)
        {
            try
            {
                using GroupModelRun run = new();
                run.Run(scenario);
            }
            catch (TimeoutException)
            {
                hasHung = true;
                throw;
            }
        }

        // Who hangs takes half a minute to be found out: too long to try it a hundred times.
        IEnumerable<GroupScenario> Shrink(GroupScenario scenario) => hasHung ? [] : scenario.Shrink();
    }
}
