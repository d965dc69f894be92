using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary>A list of layers in a quantization config, such as those left unquantized. Used by the schemes.</summary>
/// <remarks>An entry is whole parts of a layer's name (<c>lm_head</c>, <c>layers.0.mlp</c>), or <c>re:</c> and a regular expression that
/// the name begins with a match of, as compressed-tensors has it.</remarks>
internal sealed class LayerPatterns
{
    private const string RegexPrefix = "re:";

    private readonly ImmutableArray<string> _names;
    private readonly ImmutableArray<Regex> _expressions;

    private LayerPatterns(ImmutableArray<string> names, ImmutableArray<Regex> expressions)
    {
        _names = names;
        _expressions = expressions;
    }

    /// <summary>Reads a list of strings; empty when the field is missing.</summary>
    /// <exception cref="ModelConfigException">The field is no list of strings, or a regular expression is wrong.</exception>
    public static LayerPatterns Read(ConfigObject config, string field)
    {
        var entries = config.Strings(field);
        var expressions = ImmutableArray.CreateBuilder<Regex>();
        foreach (var entry in entries.Where(entry => entry.StartsWith(RegexPrefix, StringComparison.Ordinal)))
        {
            try
            {
                // A checkpoint is downloaded data: its expressions must not run away.
                expressions.Add(
                    new Regex($"^(?:{entry[RegexPrefix.Length..]})", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
            }
            catch (Exception e) when (e is ArgumentException or NotSupportedException)
            {
                throw config.Invalid(
                    field, $"has '{entry}', which is no regular expression that can be matched in linear time: {e.Message}");
            }
        }

        var names = entries.Where(entry => !entry.StartsWith(RegexPrefix, StringComparison.Ordinal));
        return new LayerPatterns([.. names.Select(name => $".{name}.")], expressions.ToImmutable());
    }

    public bool Contains(string layer) =>
        _names.Any(name => $".{layer}.".Contains(name, StringComparison.Ordinal))
            || _expressions.Any(expression => expression.IsMatch(layer));
}
