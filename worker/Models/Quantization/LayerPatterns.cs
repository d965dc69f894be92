using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary>A list of layers in a quantization config, such as those left unquantized. Used by the schemes.</summary>
/// <remarks>An entry is whole parts of a layer's name (<c>lm_head</c>, <c>layers.0.mlp</c>), where <c>*</c> stands for any characters
/// (<c>*k_proj</c>, <c>model.layers.*.self_attn</c>), or <c>re:</c> and a regular expression that the name begins with a match of, as
/// compressed-tensors has it.</remarks>
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

        var names = entries.Where(entry => !entry.StartsWith(RegexPrefix, StringComparison.Ordinal)).ToArray();
        expressions.AddRange(names.Where(HasWildcard).Select(Wildcards));
        return new LayerPatterns([.. names.Where(name => !HasWildcard(name)).Select(Parts)], expressions.ToImmutable());
    }

    /// <summary>A list of one entry that is no regular expression.</summary>
    public static LayerPatterns Of(string entry) => HasWildcard(entry) ? new([], [Wildcards(entry)]) : new([Parts(entry)], []);

    public bool Contains(string layer) =>
        _names.Any(name => $".{layer}.".Contains(name, StringComparison.Ordinal))
            || _expressions.Any(expression => expression.IsMatch(layer));

    private static bool HasWildcard(string entry) => entry.Contains('*');

    private static string Parts(string entry) => $".{entry}.";

    private static Regex Wildcards(string entry) => new(
        $@"(?:^|\.){Regex.Escape(entry).Replace(@"\*", ".*", StringComparison.Ordinal)}(?:$|\.)",
        RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
}
