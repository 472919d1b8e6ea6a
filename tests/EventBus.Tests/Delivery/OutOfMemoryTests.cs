using System.Diagnostics;
using EventBus.Tests.Readme;

namespace EventBus.Tests.Delivery;

/// <summary>Out of memory while one subscriber's queue grows is that subscriber's loss.</summary>
public sealed class OutOfMemoryTests
{
    private const string Program =
        """
        using System.Runtime.CompilerServices;

        // What is never read grows until there is no more memory for it; who reads beside it gets everything.
        var bus = new InProcessEventBus();
        var hoarder = bus.Subscribe<Large>("t", new() { Capacity = 1_000_000, Overflow = OverflowPolicy.Wait });
        var reader = bus.Subscribe<Large>("t", new() { Capacity = 4 });
        int read = 0, dropped = 0;
        for (int i = 0; i < 40_000; i++)
        {
            var next = reader.Reader.ReadAsync().AsTask();
            PublishResult result = bus.Publish("t", default(Large));
            dropped += result.Dropped;
            await next.WaitAsync(TimeSpan.FromSeconds(30));
            read++;
        }

        Console.WriteLine($"{read} read, {reader.Dropped} lost beside {(hoarder.Dropped > 0 ? "losses" : "none")}");
        Console.WriteLine($"{hoarder.Dropped == dropped} {hoarder.Count + hoarder.Dropped}");
        int taken = 0;
        long missed = 0;
        while (hoarder.Reader.TryRead(out var envelope))
        {
            taken++;
            missed += envelope.Missed;
        }

        Console.WriteLine($"{taken + hoarder.Dropped} {missed <= hoarder.Dropped} {bus.Publish("t", default(Large)).Matched}");

        [InlineArray(1024)]
        public struct Large
        {
            private long _first;
        }
        """;

    [Fact]
    public async Task Publish_OneSubscribersQueueCannotGrow_IsThatSubscribersLossAlone()
    {
        string folder = AppContext.BaseDirectory;
        string program = Path.Combine(folder, $"OutOfMemory{Environment.ProcessId}.dll");
        await File.WriteAllBytesAsync(program, new Snippet(0, Program, Output: null).Emit([]));
        try
        {
            ProcessStartInfo start = new("dotnet")
            {
                ArgumentList =
                {
                    "exec", "--depsfile", Path.Combine(folder, "EventBus.Tests.deps.json"),
                    "--runtimeconfig", Path.Combine(folder, "EventBus.Tests.runtimeconfig.json"), program,
                },
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["DOTNET_GCHeapHardLimit"] = "0x8000000" },
            };
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));

            (await output).ReplaceLineEndings("\n").Should().Be(
                "40000 read, 0 lost beside losses\nTrue 40000\n40000 True 2\n", "this is what stands on standard error: {0}", await errors);
        }
        finally
        {
            File.Delete(program);
        }
    }
}
