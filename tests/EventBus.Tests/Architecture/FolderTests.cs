using System.Text.RegularExpressions;

namespace EventBus.Tests.Architecture;

/// <summary>
/// An event's way through the library is one street, and nothing runs backwards. The root is the public story: everyone may use its
/// words, and it may use everyone.
/// </summary>
public sealed partial class FolderTests
{
    private const string Library = "src/EventBus/";

    /// <summary>What each folder may use directly; what that may use in turn is allowed too.</summary>
    private static readonly Dictionary<string, string[]> MayUse = new(StringComparer.Ordinal)
    {
        ["Hosting"] = ["Handling"],
        ["Handling"] = ["Delivery", "Diagnostics"],
        ["Routing"] = ["Delivery", "History"],
        ["History"] = ["Delivery"],
        ["Delivery"] = ["Diagnostics"],
        ["Diagnostics"] = [],
    };

    public static TheoryData<string> Folders { get; } = [.. MayUse.Keys];

    [Fact]
    public void EveryFolderOfTheLibrary_IsOnTheStreet()
    {
        IEnumerable<string> folders = Repository.SourcesBelow("src/EventBus").Select(FolderOf).Where(f => f.Length > 0).Distinct();

        folders.Should().BeEquivalentTo(MayUse.Keys);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Folder_UsesOnlyWhatComesAfterIt(string folder)
    {
        HashSet<string> allowed = [folder];
        Queue<string> open = new([folder]);
        while (open.TryDequeue(out string? next))
        {
            foreach (string used in MayUse[next].Where(allowed.Add))
                open.Enqueue(used);
        }

        IEnumerable<string> backwards =
            from file in Repository.SourcesBelow("src/EventBus")
            where FolderOf(file) == folder
            from used in UsesOf(File.ReadAllText(Repository.PathOf(file)))
            where !allowed.Contains(used)
            select $"{file} uses {used}";

        backwards.Should().BeEmpty();
    }

    [Fact]
    public void Namespace_IsTheFolderOrTheRoot()
    {
        IEnumerable<string> strays =
            from file in Repository.SourcesBelow("src/EventBus")
            let space = NamespaceLine().Match(File.ReadAllText(Repository.PathOf(file))).Groups[1].Value
            let own = FolderOf(file).Length == 0 ? "EventBus" : $"EventBus.{FolderOf(file)}"
            where space != own && space != "EventBus" && space != "Microsoft.Extensions.DependencyInjection"
            select $"{file} declares {space}";

        strays.Should().BeEmpty();
    }

    [Theory]
    [InlineData("using EventBus.Routing;", "Routing")]
    [InlineData("using static EventBus.Routing.X;", "Routing")]
    [InlineData("using R = EventBus.Routing;", "Routing")]
    [InlineData("    Routing.EventRouter router;", "Routing")]
    [InlineData("    List<EventBus.Routing.EventRouter> routers;", "Routing")]
    [InlineData("    /// <see cref=\"Routing.EventRouter\"/>")]
    [InlineData("    options.History.Add(rule);")]
    public void Uses_AreSeenInEveryForm(string line, params string[] expected) => UsesOf(line).Should().Equal(expected);

    private static IEnumerable<string> UsesOf(string source) =>
        source.Split('\n')
            .Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal))
            .SelectMany(line => Reference().Matches(line))
            .Select(match => match.Groups[1].Value)
            .Distinct();

    private static string FolderOf(string file)
    {
        string rest = file[Library.Length..];
        return rest.Contains('/', StringComparison.Ordinal) ? rest[..rest.IndexOf('/', StringComparison.Ordinal)] : "";
    }

    /// <summary>A folder's namespace in a using or before a type's name; not a member of the same name behind a dot.</summary>
    [GeneratedRegex(@"(?:EventBus\.|(?<![\w.]))(Hosting|Handling|Routing|History|Delivery|Diagnostics)(?=[.;][A-Z\s]|;?$)")]
    private static partial Regex Reference();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();
}
