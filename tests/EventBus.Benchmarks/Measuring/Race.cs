using System.Runtime;

namespace EventBus.Benchmarks.Measuring;

/// <summary>What a contender's rounds took, in nanoseconds and bytes per operation.</summary>
internal sealed record Series(string Name, double Median, double Min, double Max, double Bytes)
{
    public static Series Of(string name, IReadOnlyList<Reading> readings)
    {
        double[] times = [.. readings.Select(r => r.Nanoseconds).Order()];
        double[] bytes = [.. readings.Select(r => r.BytesEach).Order()];
        return new Series(name, times[times.Length / 2], times[0], times[^1], bytes[bytes.Length / 2]);
    }
}

/// <summary>Runs contenders in one process, round by round in turn, so that what disturbs one disturbs all.</summary>
internal static class Race
{
    /// <summary>The first contender is what the others are compared with. All are ended.</summary>
    public static IReadOnlyList<Series> Run(Effort effort, params Contender[] contenders)
    {
        try
        {
            WarmUp(effort, contenders);
            List<Reading>[] readings = [.. contenders.Select(_ => new List<Reading>())];
            for (int round = 0; round < effort.Rounds; round++)
            {
                // Another one begins each time, so that none always runs after the same.
                for (int i = 0; i < contenders.Length; i++)
                {
                    int turn = (i + round) % contenders.Length;
                    readings[turn].Add(contenders[turn].Round());
                }
            }

            return [.. contenders.Select((c, i) => Series.Of(c.Name, readings[i]))];
        }
        finally
        {
            foreach (Contender contender in contenders)
                contender.End?.Invoke();
        }
    }

    /// <summary>
    /// A method is compiled up to three times, each time after so many calls: what a short round calls seldom may need more
    /// rounds than usual, until one passes in which nothing was compiled.
    /// </summary>
    private static void WarmUp(Effort effort, Contender[] contenders)
    {
        bool isSettled = effort.IsQuick;
        for (int i = 0; i < effort.Warmups || (!isSettled && i < effort.Warmups * 2); i++)
        {
            long compiled = JitInfo.GetCompiledMethodCount();
            foreach (Contender contender in contenders)
                contender.Round();

            // The runtime compiles what proved hot in the background, once no new methods have come for 100 ms.
            if (!effort.IsQuick)
                Thread.Sleep(150);
            isSettled |= i > 0 && JitInfo.GetCompiledMethodCount() == compiled;
        }
    }
}
