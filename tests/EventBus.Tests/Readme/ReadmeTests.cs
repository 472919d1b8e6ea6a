using System.Reflection;

namespace EventBus.Tests.Readme;

/// <summary>What the README shows compiles without a warning, and prints what stands beside it.</summary>
[Collection(nameof(ConsoleCollection))]
public sealed class ReadmeTests
{
    private static readonly IReadOnlyList<Snippet> Snippets = Snippet.Of(File.ReadAllText(Repository.PathOf("README.md")));

    public static TheoryData<int> Lines { get; } = [.. Snippets.Where(s => !s.IsShared).Select(s => s.Line)];

    [Theory]
    [MemberData(nameof(Lines))]
    public async Task Snippet_PrintsWhatTheReadmeShows(int line)
    {
        Snippet snippet = Snippets.Single(s => s.Line == line);
        snippet.Output.Should().NotBeNull("a reader is told what the snippet prints");
        MethodInfo program = snippet.Compile(Snippets.Where(s => s.IsShared)).EntryPoint!;

        using StringWriter output = new() { NewLine = "\n" };
        TextWriter console = Console.Out;
        Console.SetOut(TextWriter.Synchronized(output));
        try
        {
            object?[] arguments = program.GetParameters().Length == 0 ? [] : [Array.Empty<string>()];
            await Task.Run(() => program.Invoke(null, arguments)).WaitAsync(TimeSpan.FromSeconds(60));
        }
        finally
        {
            Console.SetOut(console);
        }

        output.ToString().TrimEnd('\n').Should().Be(snippet.Output);
    }

    [Fact]
    public void Readme_HasATour() => Snippets.Should().HaveCountGreaterThan(6);

    [Fact]
    public void Readme_IsShortEnoughToRead() => File.ReadLines(Repository.PathOf("README.md")).Count().Should().BeLessThanOrEqualTo(250);

    [Fact]
    public void Snippet_IsReadWithItsOutput()
    {
        Snippet snippet = Snippet.Of("text\n```csharp\nint a;\n\nint b;\n```\n\n```text\n1\n2\n```\n").Single();

        snippet.Should().Be(new Snippet(2, "int a;\n\nint b;", "1\n2"));
    }

    [Fact]
    public void Snippet_ThatDoesNotCompile_SaysWhereInTheReadme()
    {
        Action compile = () => new Snippet(10, "int a = 1;\nint b = \"2\";", "").Compile([]);

        compile.Should().Throw<InvalidOperationException>().WithMessage("*README.md:12:*");
    }
}

/// <summary>There is one console: who redirects it runs alone.</summary>
[CollectionDefinition(nameof(ConsoleCollection), DisableParallelization = true)]
public sealed class ConsoleCollection;
