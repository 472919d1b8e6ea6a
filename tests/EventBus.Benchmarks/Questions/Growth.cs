using System.Globalization;
using EventBus.Benchmarks.Measuring;

namespace EventBus.Benchmarks.Questions;

/// <summary>How the cost of a publish grows with the topic's subscribers, as a table and as a picture.</summary>
internal static class Growth
{
    /// <summary>Where the pictures are, seen from the repository's root.</summary>
    public const string DefaultFolder = "docs/pictures";

    private const int Most = 10_000;

    /// <param name="folder">Where to put the chart of what is measured; null: only a table.</param>
    public static Question Question(string? folder) => new(
        "growth",
        "How cost grows: one publish to 1, 2, 4, … 10,000 subscribers of one topic with room, bursts read afterwards and checked. With " +
        $"\"svg=<folder>\" (or \"svg\": {DefaultFolder}) the chart of this run is written there.",
        effort => Answer(effort, folder));

    private static IEnumerable<Table> Answer(Effort effort, string? folder)
    {
        Table table = new("subscribers", "", "median", "min – max", "allocated", "vs loop", "");
        List<(double X, double Y)> loop = [], ours = [];
        foreach (int subscribers in Counts(effort))
        {
            (int length, int bursts) = PublishWithRoom.Amount(subscribers, effort);
            IReadOnlyList<Series> series = Race.Run(
                effort,
                PublishWithRoom.Loop(subscribers, bursts, length),
                PublishWithRoom.Bus(subscribers, bursts, length));
            table.AddRace($"{subscribers:#,0}", series);
            loop.Add((subscribers, series[0].Median));
            ours.Add((subscribers, series[1].Median));
        }

        yield return table;
        if (folder is not null)
            Draw(effort, folder, loop, ours);
    }

    /// <summary>Powers of two, and the round number at the end; fewer where it is only a try.</summary>
    private static IEnumerable<int> Counts(Effort effort)
    {
        for (int count = 1; count < Most; count *= effort.IsQuick ? 8 : 2)
            yield return count;
        yield return Most;
    }

    private static void Draw(Effort effort, string folder, IReadOnlyList<(double X, double Y)> loop, IReadOnlyList<(double X, double Y)> ours)
    {
        double ratio = loop[^1].Y / ours[^1].Y;
        LogChart chart = new(
            effort.IsQuick ? "A quick try: nanoseconds of no meaning" : "Cost of one publish, in nanoseconds",
            "subscribers of the topic",
            new("a loop over channels", loop),
            new("EventBus", ours),
            ratio >= 1 ? (Times(ratio), "cheaper") : (Times(1 / ratio), "dearer"));
        Directory.CreateDirectory(folder);
        foreach (ChartColors colors in new[] { ChartColors.Light, ChartColors.Dark })
        {
            string file = Path.Combine(folder, $"cost-{colors.Name}.svg");
            File.WriteAllText(file, chart.ToSvg(colors));
            Console.WriteLine($"Wrote {file}.");
        }

        // Two digits: the third differs from run to run.
        static string Times(double times)
        {
            double unit = Math.Pow(10, Math.Floor(Math.Log10(times)) - 1);
            return (Math.Round(times / unit) * unit).ToString("#,0.#×", CultureInfo.InvariantCulture);
        }
    }
}
