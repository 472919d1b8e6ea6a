using EventBus.Delivery;
using EventBus.Handling;

namespace EventBus.Tests.Handling;

public sealed class AttemptPathTests
{
    [Fact]
    public void WithoutFiltersScopeAndTimeout_AnAttemptAllocatesNothing()
    {
        const int Rounds = 1000;
        int calls = 0;
        HandlerCall<long> each = HandlerCall<long>.ForEach((_, _) =>
        {
            calls++;
            return default;
        });
        AttemptPath<long> path = new(each, new HandlerOptions { MaxAttempts = 3, ShouldRetry = _ => true }, TimeProvider.System);
        Taken<long> taken = new(new Envelope<long>("topic", 1), new EventOrigin("topic"), IsReplayed: false);
        Run();
        long before = GC.GetAllocatedBytesForCurrentThread();

        Run();

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        calls.Should().Be(2 * Rounds);

        void Run()
        {
            for (int i = 0; i < Rounds; i++)
            {
                ValueTask attempt = path.RunAsync(in taken, batch: null, attempt: 1, CancellationToken.None);
                attempt.GetAwaiter().GetResult();
            }
        }
    }
}
