using System.Globalization;
using System.Reflection;
using EventBus.Tests.PublicApi;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EventBus.Tests.Readme;

/// <summary>One block of C# of the README, and the block of text right after it: what it prints.</summary>
/// <param name="Line">Where it begins.</param>
/// <param name="Code">The C#.</param>
/// <param name="Output">The text; null if no such block follows.</param>
internal sealed record Snippet(int Line, string Code, string? Output)
{
    /// <summary>What a new project imports by itself, and what the README tells its reader to import.</summary>
    private const string Imports =
        """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        global using EventBus;
        """;

    private static readonly CSharpParseOptions Language = new(LanguageVersion.CSharp13);

    /// <summary>Whether it only declares types, for the snippets that come after it.</summary>
    public bool IsShared =>
        !CSharpSyntaxTree.ParseText(Code, Language).GetRoot().ChildNodes().Any(n => n is GlobalStatementSyntax);

    public static IReadOnlyList<Snippet> Of(string markdown)
    {
        List<Snippet> snippets = [];
        string[] lines = markdown.ReplaceLineEndings("\n").Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i] != "```csharp")
                continue;
            int begin = i + 1;
            string code = Block(lines, ref i);
            int next = i + 1;
            while (next < lines.Length && lines[next].Length == 0)
                next++;
            bool prints = next < lines.Length && lines[next] == "```text";
            snippets.Add(new Snippet(begin, code, prints ? Block(lines, ref next) : null));
        }

        return snippets;
    }

    /// <summary>Compiles it together with what it shares, as the program of a new project; what the compiler finds is the exception.</summary>
    public Assembly Compile(IEnumerable<Snippet> shared) => Assembly.Load(Emit(shared));

    /// <summary>The same as the bytes of a program.</summary>
    public byte[] Emit(IEnumerable<Snippet> shared)
    {
        CSharpCompilation compilation = CSharpCompilation.Create(
            $"Readme{Line}",
            [.. shared.Select(s => s.Code).Prepend(Imports).Append(Code).Select(c => CSharpSyntaxTree.ParseText(c, Language))],
            ApiText.References,
            new CSharpCompilationOptions(
                IsShared ? OutputKind.DynamicallyLinkedLibrary : OutputKind.ConsoleApplication,
                nullableContextOptions: NullableContextOptions.Enable));
        using MemoryStream stream = new();
        IEnumerable<Diagnostic> found = compilation.Emit(stream).Diagnostics.Where(d => d.Severity >= DiagnosticSeverity.Warning);
        string message = string.Join('\n', found.Select(d => $"README.md:{Line + d.Location.GetLineSpan().StartLinePosition.Line + 1}: {d.GetMessage(CultureInfo.InvariantCulture)}"));
        return message.Length == 0 ? stream.ToArray() : throw new InvalidOperationException(message);
    }

    private static string Block(string[] lines, ref int fence)
    {
        int end = Array.IndexOf(lines, "```", fence + 1);
        string text = string.Join('\n', lines[(fence + 1)..end]);
        fence = end;
        return text;
    }
}
