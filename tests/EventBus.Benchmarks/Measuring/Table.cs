using System.Globalization;

namespace EventBus.Benchmarks.Measuring;

/// <summary>One question's answer: rows of text under a heading, aligned. The last column is for targets.</summary>
internal sealed class Table
{
    private readonly List<string[]> _rows = [];

    public Table(params string[] columns) => _rows.Add(columns);

    public void Add(params string[] cells) => _rows.Add(cells);

    /// <summary>Rows for a race: time per operation, spread, bytes, and the ratio to the first contender.</summary>
    /// <param name="name">What was run.</param>
    /// <param name="series">The contenders; the first is the baseline.</param>
    /// <param name="target">What the ratio of the contenders called "EventBus" should be at most; 0: no target.</param>
    public void AddRace(string name, IReadOnlyList<Series> series, double target = 0)
    {
        Series baseline = series[0];
        foreach (Series one in series)
        {
            double ratio = one.Median / baseline.Median;
            bool hasTarget = target > 0 && one.Name == "EventBus";
            Add(
                one == baseline ? name : "",
                one.Name,
                Time(one.Median),
                $"{Time(one.Min)} – {Time(one.Max)}",
                Bytes(one.Bytes),
                one == baseline ? "" : Ratio(ratio),
                hasTarget ? $"≤ {Ratio(target)} {Met(ratio <= target)}" : "");
        }
    }

    /// <param name="withTargets">Whether to print the last column, which judges.</param>
    public void Print(bool withTargets)
    {
        int columns = withTargets ? _rows[0].Length : _rows[0].Length - 1;
        int[] widths = [.. Enumerable.Range(0, columns).Select(c => _rows.Max(r => r[c].Length))];
        for (int i = 0; i < _rows.Count; i++)
        {
            Console.WriteLine("| " + string.Join(" | ", _rows[i].Take(columns).Select((cell, c) => c < 2 ? cell.PadRight(widths[c]) : cell.PadLeft(widths[c]))) + " |");
            if (i == 0)
                Console.WriteLine("|" + string.Join("|", widths.Select((w, c) => c < 2 ? new string('-', w + 2) : new string('-', w + 1) + ":")) + "|");
        }
    }

    public static string Met(bool met) => met ? "met" : "MISSED";

    /// <summary>Two digits at least, however small: a thousandth is not nothing.</summary>
    public static string Ratio(double ratio) =>
        ratio < 0.1 ? $"{ratio.ToString("G2", CultureInfo.InvariantCulture)}×" : ratio.ToString(ratio < 10 ? "0.00×" : "#,0×", CultureInfo.InvariantCulture);

    public static string Time(double nanoseconds) => nanoseconds switch
    {
        < 100 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds:0.0} ns"),
        < 10_000 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds:#,0} ns"),
        < 10_000_000 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e3:#,0.0} µs"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e6:#,0.0} ms"),
    };

    /// <summary>Below a hundredth of a byte per operation it is the measuring itself.</summary>
    public static string Bytes(double bytes) =>
        bytes < 0.01 ? "0 B" : string.Create(CultureInfo.InvariantCulture, $"{bytes:#,0.##} B");

    public static string Number(double number) => number.ToString(number < 10 ? "0.##" : "#,0", CultureInfo.InvariantCulture);
}
