using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Cluster.Architecture.Tests.Sources;

/// <summary>
/// Which methods of the test projects assert something, by themselves or through a method that they call. Methods are told apart by name
/// and file or folder only: an over-estimate, which finds every test that checks nothing at all.
/// </summary>
internal static class TestMethods
{
    /// <summary>Assertions of libraries, besides everything of xunit's <c>Assert</c>.</summary>
    private static readonly HashSet<string> Asserting = [
        "QuickCheckThrowOnFailure", "VerboseCheckThrowOnFailure", "CheckThrowOnFailure", "ThrowsAsync"];

    /// <summary>"path: method" of every [Fact] and [Theory] whose code asserts nothing.</summary>
    public static IReadOnlyList<string> WithoutAssertion()
    {
        var methods = SourceFile.Tests.SelectMany(
            file => Declarations(file.Root).Select(node => new Method(file, NameOf(node), node, CallsOf(node)))).ToList();
        var asserting = methods.Where(method => AssertsItself(method.Node)).Select(method => method.Name).ToHashSet();
        while (true)
        {
            var more = methods.Where(method => !asserting.Contains(method.Name) && method.Calls.Overlaps(asserting))
                .Select(method => method.Name).ToList();
            if (more.Count == 0)
            {
                break;
            }

            asserting.UnionWith(more);
        }

        return
        [
            .. methods
                .Where(method => IsTest(method.Node) && !AssertsItself(method.Node) && !method.Calls.Overlaps(asserting))
                .Select(method => $"{method.File.Path}: {method.Name}"),
        ];
    }

    private static IEnumerable<SyntaxNode> Declarations(SyntaxNode root) =>
        root.DescendantNodes()
            .Where(node => node is MethodDeclarationSyntax or LocalFunctionStatementSyntax or ConstructorDeclarationSyntax);

    private static bool IsTest(SyntaxNode node) => node is MethodDeclarationSyntax method
        && method.AttributeLists.SelectMany(list => list.Attributes).Any(attribute => attribute.Name.ToString() is "Fact" or "Theory");

    private static bool AssertsItself(SyntaxNode node) =>
        node.DescendantNodes().OfType<MemberAccessExpressionSyntax>()
            .Any(access => access.Expression.ToString() is "Assert" or "Xunit.Assert")
        || CallsOf(node).Overlaps(Asserting);

    private static HashSet<string> CallsOf(SyntaxNode node) =>
    [
        .. node.DescendantNodes().OfType<SimpleNameSyntax>().Where(IsCalled).Select(name => name.Identifier.Text),
        .. node.DescendantNodes().OfType<ObjectCreationExpressionSyntax>().Select(made => made.Type.ToString()),
    ];

    /// <summary>A call, or a method handed on as a delegate.</summary>
    private static bool IsCalled(SimpleNameSyntax name)
    {
        SyntaxNode called = name.Parent is MemberAccessExpressionSyntax access && access.Name == name ? access : name;
        return called.Parent is InvocationExpressionSyntax or ArgumentSyntax;
    }

    private static string NameOf(SyntaxNode node) => node switch
    {
        MethodDeclarationSyntax method => method.Identifier.Text,
        LocalFunctionStatementSyntax function => function.Identifier.Text,
        ConstructorDeclarationSyntax constructor => constructor.Identifier.Text,
        _ => throw new ArgumentException($"{node.GetType().Name} has no name", nameof(node)),
    };

    private sealed record Method(SourceFile File, string Name, SyntaxNode Node, HashSet<string> Calls);
}
