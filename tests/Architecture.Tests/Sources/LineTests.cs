using Cluster.Architecture.Tests.Rooms;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Cluster.Architecture.Tests.Sources;

/// <summary>Lines have up to 140 columns. The compiler does not count them.</summary>
public sealed class LineTests
{
    private const int Columns = 140;

    /// <summary>A longer line is one whose text is data: it ends in a string that cannot be broken where the limit is.</summary>
    [Fact]
    public void Lines_have_up_to_140_columns_unless_a_string_crosses_the_limit() =>
        Known.Only([], SourceFile.All.SelectMany(TooLong));

    private static IEnumerable<string> TooLong(SourceFile file)
    {
        foreach (var line in file.Root.GetText().Lines.Where(line => line.Span.Length > Columns))
        {
            if (!IsString(file.Root.FindToken(line.Start + Columns)) && !IsString(file.Root.FindToken(line.Start + Columns - 1)))
            {
                yield return $"{file.Path}:{line.LineNumber + 1}";
            }
        }
    }

    private static bool IsString(SyntaxToken token) =>
        token.Kind().ToString().Contains("StringLiteral", StringComparison.Ordinal)
        || token.Parent!.AncestorsAndSelf().Any(node => node.IsKind(SyntaxKind.InterpolatedStringExpression));
}
