using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace EventBus.Tests.PublicApi;

/// <summary>What users of an assembly can see of it, as text in the manner of C#; the same for the same assembly.</summary>
internal static class ApiText
{
    private static readonly SymbolDisplayFormat TypeFormat = new(
        globalNamespaceStyle: SymbolDisplayGlobalNamespaceStyle.Omitted,
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameOnly,
        genericsOptions: SymbolDisplayGenericsOptions.IncludeTypeParameters
            | SymbolDisplayGenericsOptions.IncludeTypeConstraints
            | SymbolDisplayGenericsOptions.IncludeVariance,
        kindOptions: SymbolDisplayKindOptions.IncludeTypeKeyword,
        miscellaneousOptions: SymbolDisplayMiscellaneousOptions.UseSpecialTypes
            | SymbolDisplayMiscellaneousOptions.EscapeKeywordIdentifiers
            | SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    private static readonly SymbolDisplayFormat UseFormat = TypeFormat
        .WithGenericsOptions(SymbolDisplayGenericsOptions.IncludeTypeParameters)
        .WithKindOptions(SymbolDisplayKindOptions.None);

    private static readonly SymbolDisplayFormat MemberFormat = TypeFormat
        .WithKindOptions(SymbolDisplayKindOptions.IncludeMemberKeyword)
        .WithMemberOptions(
            SymbolDisplayMemberOptions.IncludeAccessibility
            | SymbolDisplayMemberOptions.IncludeModifiers
            | SymbolDisplayMemberOptions.IncludeType
            | SymbolDisplayMemberOptions.IncludeRef
            | SymbolDisplayMemberOptions.IncludeParameters
            | SymbolDisplayMemberOptions.IncludeConstantValue)
        .WithParameterOptions(
            SymbolDisplayParameterOptions.IncludeType
            | SymbolDisplayParameterOptions.IncludeName
            | SymbolDisplayParameterOptions.IncludeDefaultValue
            | SymbolDisplayParameterOptions.IncludeParamsRefOut
            | SymbolDisplayParameterOptions.IncludeExtensionThis)
        .AddMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.AllowDefaultLiteral);

    /// <summary>The references of a program that may use all that the running one uses.</summary>
    public static IReadOnlyList<MetadataReference> References { get; } =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    public static string Of(Assembly assembly)
    {
        // What is private is read too: it tells record structs from others.
        CSharpCompilation compilation = CSharpCompilation.Create(
            "PublicApi",
            references: References,
            options: new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, metadataImportOptions: MetadataImportOptions.All));
        MetadataReference reference = References.Single(r => r.Display == assembly.Location);
        var symbol = (IAssemblySymbol)compilation.GetAssemblyOrModuleSymbol(reference)!;
        StringBuilder text = new();
        foreach (INamespaceSymbol space in NamespacesOf(symbol.GlobalNamespace).OrderBy(n => n.ToString(), StringComparer.Ordinal))
        {
            INamedTypeSymbol[] types = [.. Visible(space.GetTypeMembers())];
            if (types.Length == 0)
                continue;
            text.Append("namespace ").Append(space).Append("\n\n");
            foreach (INamedTypeSymbol type in types)
            {
                Append(text, type, indent: "");
                text.Append('\n');
            }
        }

        return text.ToString();
    }

    private static IEnumerable<INamespaceSymbol> NamespacesOf(INamespaceSymbol space) =>
        space.GetNamespaceMembers().SelectMany(NamespacesOf).Append(space);

    private static IEnumerable<T> Visible<T>(IEnumerable<T> symbols)
        where T : ISymbol =>
        symbols
            .Where(s => s.DeclaredAccessibility is Accessibility.Public or Accessibility.Protected or Accessibility.ProtectedOrInternal)
            .Where(s => !s.GetAttributes().Any(a => a.AttributeClass?.Name == nameof(CompilerGeneratedAttribute)))
            .OrderBy(s => s.Name, StringComparer.Ordinal)
            .ThenBy(s => s.ToDisplayString(MemberFormat), StringComparer.Ordinal);

    private static void Append(StringBuilder text, INamedTypeSymbol type, string indent)
    {
        AppendAttributes(text, type, indent);
        if (type.TypeKind == TypeKind.Delegate)
        {
            text.Append(indent).Append("public delegate ").Append(type.DelegateInvokeMethod!.ToDisplayString(MemberFormat)).Append('\n');
            return;
        }

        // Base types stand before the constraints, which the format has put at the end.
        string declaration = type.ToDisplayString(TypeFormat);
        if (type.TypeKind == TypeKind.Struct && type.GetMembers("PrintMembers").Length > 0)
            declaration = declaration.Replace("struct ", "record struct ", StringComparison.Ordinal);
        int constraints = declaration.IndexOf(" where ", StringComparison.Ordinal);
        string bases = string.Join(", ", BasesOf(type));
        text.Append(indent).Append("public ").Append(ModifierOf(type)).Append(constraints < 0 ? declaration : declaration[..constraints])
            .Append(bases.Length == 0 ? "" : " : ").Append(bases)
            .Append(constraints < 0 ? "" : declaration[constraints..]).Append('\n');

        foreach (ISymbol member in MembersOf(type))
        {
            AppendAttributes(text, member, indent + "    ");
            text.Append(indent).Append("    ").Append(Describe(member)).Append('\n');
        }

        foreach (INamedTypeSymbol nested in Visible(type.GetTypeMembers()))
            Append(text, nested, indent + "    ");
    }

    private static string ModifierOf(INamedTypeSymbol type) => type switch
    {
        { TypeKind: not TypeKind.Class } => "",
        { IsStatic: true } => "static ",
        { IsAbstract: true } => "abstract ",
        { IsSealed: true } => "sealed ",
        _ => "",
    };

    private static IEnumerable<string> BasesOf(INamedTypeSymbol type)
    {
        if (type.EnumUnderlyingType is { } underlying)
            return [underlying.ToDisplayString(UseFormat)];
        IEnumerable<INamedTypeSymbol> bases = type.Interfaces
            .Where(i => i.DeclaredAccessibility == Accessibility.Public)
            .OrderBy(i => i.ToDisplayString(UseFormat), StringComparer.Ordinal);
        if (type.BaseType is { SpecialType: not (SpecialType.System_Object or SpecialType.System_ValueType) } @base)
            bases = bases.Prepend(@base);
        return bases.Select(b => b.ToDisplayString(UseFormat));
    }

    private static IEnumerable<ISymbol> MembersOf(INamedTypeSymbol type)
    {
        IEnumerable<ISymbol> members = type.GetMembers()
            .Where(m => m is not INamedTypeSymbol and not IMethodSymbol { AssociatedSymbol: not null })
            .Where(m => m is not IMethodSymbol { MethodKind: MethodKind.Destructor })
            .Where(m => m is not IMethodSymbol { MethodKind: MethodKind.Constructor, IsImplicitlyDeclared: true });
        return type.TypeKind == TypeKind.Enum
            ? members.OfType<IFieldSymbol>().Where(f => f.IsConst)
            : Visible(members).OrderBy(m => m.Kind != SymbolKind.Field).ThenBy(m => m is not IMethodSymbol { MethodKind: MethodKind.Constructor });
    }

    private static string Describe(ISymbol member)
    {
        string text = member.ToDisplayString(MemberFormat);
        return member switch
        {
            IFieldSymbol { ContainingType.TypeKind: TypeKind.Enum } constant => $"{constant.Name} = {constant.ConstantValue}",
            IPropertySymbol property => $"{text} {{ {Accessor(property, property.GetMethod)}{Accessor(property, property.SetMethod)}}}",
            _ => text,
        };
    }

    private static string Accessor(IPropertySymbol property, IMethodSymbol? accessor)
    {
        if (accessor is null || accessor.DeclaredAccessibility is Accessibility.Private or Accessibility.Internal or Accessibility.ProtectedAndInternal)
            return "";
        string accessibility = accessor.DeclaredAccessibility == property.DeclaredAccessibility ? "" : "protected ";
        return accessibility + (accessor.MethodKind == MethodKind.PropertyGet ? "get; " : accessor.IsInitOnly ? "init; " : "set; ");
    }

    /// <summary>The attributes that a caller's compiler or the trimmer acts upon, also those of parameters and type parameters.</summary>
    private static void AppendAttributes(StringBuilder text, ISymbol symbol, string indent)
    {
        IEnumerable<(string Target, ISymbol Symbol)> targets = [("", symbol)];
        if (symbol is IMethodSymbol method)
        {
            targets = targets.Concat(method.TypeParameters.Select(p => ($"{p.Name}: ", (ISymbol)p)))
                .Concat(method.Parameters.Select(p => ($"{p.Name}: ", (ISymbol)p)));
        }
        else if (symbol is INamedTypeSymbol type)
        {
            targets = targets.Concat(type.TypeParameters.Select(p => ($"{p.Name}: ", (ISymbol)p)));
        }

        string attributes = string.Join(' ', targets.SelectMany(t => t.Symbol.GetAttributes().Where(IsTold).Select(a => $"[{t.Target}{ShortNameOf(a)}]")));
        if (attributes.Length > 0)
            text.Append(indent).Append(attributes).Append('\n');
    }

    private static bool IsTold(AttributeData attribute) => attribute.AttributeClass?.Name is
        "ObsoleteAttribute" or "EditorBrowsableAttribute" or "FlagsAttribute" or "NotNullWhenAttribute" or "CallerFilePathAttribute"
        or "CallerLineNumberAttribute" or "CallerArgumentExpressionAttribute" or "DynamicallyAccessedMembersAttribute"
        or "RequiresUnreferencedCodeAttribute" or "RequiresDynamicCodeAttribute" or "OverloadResolutionPriorityAttribute";

    private static string ShortNameOf(AttributeData attribute)
    {
        string name = attribute.AttributeClass!.Name[..^"Attribute".Length];
        string arguments = string.Join(", ", attribute.ConstructorArguments.Select(a => a.ToCSharpString()));
        return arguments.Length == 0 ? name : $"{name}({arguments})";
    }
}
