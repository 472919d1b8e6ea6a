using System.Globalization;
using System.Net;
using System.Text;

namespace EventBus.Benchmarks.Measuring;

/// <summary>One line of a chart.</summary>
internal sealed record ChartLine(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>What a chart is drawn with on one kind of page; the page itself shows through.</summary>
internal sealed record ChartColors(string Name, string Text, string Grid, string Loop, string Ours)
{
    public static ChartColors Light { get; } = new("light", Text: "#1f2328", Grid: "#d1d9e0", Loop: "#6e7781", Ours: "#0969da");

    public static ChartColors Dark { get; } = new("dark", Text: "#e6edf3", Grid: "#30363d", Loop: "#9198a1", Ours: "#58a6ff");
}

/// <summary>Two lines over logarithmic axes, and at their right end how far they are apart, as SVG text.</summary>
/// <param name="Title">What is measured, and its unit.</param>
/// <param name="XTitle">What it depends on.</param>
/// <param name="Loop">What is compared with.</param>
/// <param name="Ours">What is compared.</param>
/// <param name="Gap">What to say about the right end, in two short lines.</param>
/// <remarks>Its units are twice the pixels of a narrow page (320), so that its smallest letters have 11 there.</remarks>
internal sealed record LogChart(string Title, string XTitle, ChartLine Loop, ChartLine Ours, (string First, string Second) Gap)
{
    private const int Width = 640, Height = 460, Left = 112, Right = 612, Top = 92, Bottom = 388;

    private readonly double _xEnd = Loop.Points[^1].X;
    private readonly double _low = Math.Floor(Math.Log10(Loop.Points.Concat(Ours.Points).Min(p => p.Y)));
    private readonly double _high = Math.Log10(Loop.Points.Concat(Ours.Points).Max(p => p.Y)) + 0.1;

    public string ToSvg(ChartColors colors)
    {
        StringBuilder svg = new();
        string summary = $"{Title}, by {XTitle}. At {Number(_xEnd)}: {Loop.Name} {Number(Loop.Points[^1].Y)}, {Ours.Name} {Number(Ours.Points[^1].Y)}.";
        Line(svg, $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" role="img" """);
        Line(svg, $"""     font-family="system-ui, -apple-system, 'Segoe UI', sans-serif" font-size="22" fill="{colors.Text}">""");
        Line(svg, $"<title>{Escaped(summary)}</title>");
        Line(svg, $"""<text x="12" y="32" font-size="26" font-weight="600">{Escaped(Title)}</text>""");
        Line(svg, $"""<text x="{Right}" y="{Height - 14}" text-anchor="end">{Escaped(XTitle)}</text>""");
        Axes(svg, colors);
        Draw(svg, Loop, colors.Loop, labelAt: 12);
        Draw(svg, Ours, colors.Ours, labelAt: 360);
        AddGap(svg, colors);
        Line(svg, $"</svg>");
        return svg.ToString();
    }

    private void Axes(StringBuilder svg, ChartColors colors)
    {
        for (double power = _low; power <= _high; power++)
        {
            double at = Y(Math.Pow(10, power));
            Line(svg, $"""<path d="M{Left} {at:0.#}H{Right}" stroke="{colors.Grid}" stroke-width="2"/>""");
            Line(svg, $"""<text x="{Left - 12}" y="{at + 8:0.#}" text-anchor="end">{Number(Math.Pow(10, power))}</text>""");
        }

        for (double count = 1; count <= _xEnd; count *= 10)
            Line(svg, $"""<text x="{X(count):0.#}" y="{Bottom + 30}" text-anchor="{(X(count) > Right - 30 ? "end" : "middle")}">{Number(count)}</text>""");
    }

    /// <summary>The names stand above the axes, where neither the lines nor the grid can be.</summary>
    private void Draw(StringBuilder svg, ChartLine line, string color, int labelAt)
    {
        string points = string.Join(' ', line.Points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{X(p.X):0.#},{Y(p.Y):0.#}")));
        Line(svg, $"""<polyline points="{points}" fill="none" stroke="{color}" stroke-width="5" stroke-linejoin="round" stroke-linecap="round"/>""");
        Line(svg, $"""<circle cx="{X(line.Points[^1].X):0.#}" cy="{Y(line.Points[^1].Y):0.#}" r="7" fill="{color}"/>""");
        Line(svg, $"""<path d="M{labelAt + 3} 60h36" stroke="{color}" stroke-width="5" stroke-linecap="round"/>""");
        Line(svg, $"""<text x="{labelAt + 52}" y="68">{Escaped(line.Name)}</text>""");
    }

    /// <summary>Above the lower end where there is room, else in the lower corner: both lines have left it by then.</summary>
    private void AddGap(StringBuilder svg, ChartColors colors)
    {
        double loop = Y(Loop.Points[^1].Y), ours = Y(Ours.Points[^1].Y);
        double upper = Math.Min(loop, ours), lower = Math.Max(loop, ours);
        bool isWide = lower - upper > 160;
        if (isWide)
            Line(svg, $"""<path d="M{Right} {upper + 14:0.#}V{lower - 14:0.#}" stroke="{colors.Text}" stroke-width="2" stroke-dasharray="4 6"/>""");
        double at = isWide ? lower - 22 : Bottom - 16;
        Line(svg, $"""<text x="{Right - 14}" y="{at - 28:0.#}" text-anchor="end" font-size="26" font-weight="600">{Escaped(Gap.First)}</text>""");
        Line(svg, $"""<text x="{Right - 14}" y="{at:0.#}" text-anchor="end">{Escaped(Gap.Second)}</text>""");
    }

    private double X(double value) => Left + ((Right - Left) * Math.Log10(value) / Math.Log10(_xEnd));

    private double Y(double value) => Bottom - ((Bottom - Top) * (Math.Log10(value) - _low) / (_high - _low));

    /// <summary>Short enough for the margin, whatever it is.</summary>
    private static string Number(double value) =>
        value < 1e6 ? value.ToString("#,0", CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{value / 1e6:#,0.#} M");

    private static string Escaped(string text) => WebUtility.HtmlEncode(text);

    private static void Line(StringBuilder svg, FormattableString text) => svg.Append(text.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
