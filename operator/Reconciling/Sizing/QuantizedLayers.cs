using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Which linear layers of a checkpoint are quantized, and how. Made by <see cref="QuantizationReader"/>, asked by
/// <see cref="ModelWeights"/>.</summary>
internal sealed class QuantizedLayers
{
    /// <summary>Longest list of regular expressions: people write a few, and each is tried on every layer.</summary>
    private const int MostExpressions = 256;

    private readonly bool _expertsOnly;
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly List<Regex> _expressions = [];

    private QuantizedLayers(WeightFormat format, bool expertsOnly) => (Format, _expertsOnly) = (format, expertsOnly);

    public static QuantizedLayers None { get; } = new(WeightFormat.Plain, expertsOnly: false);

    public WeightFormat Format { get; }

    /// <param name="except">Lists of those that are not: whole parts of names (<c>lm_head</c>, <c>layers.0.mlp</c>), patterns with
    /// <c>*</c>, and <c>re:</c> with a regular expression that a name begins with a match of.</param>
    /// <exception cref="ModelConfigException">An entry is no such thing.</exception>
    public static QuantizedLayers AllBut(WeightFormat format, params IEnumerable<JsonArray?> except)
    {
        QuantizedLayers layers = new(format, expertsOnly: false);
        foreach (var entry in except.SelectMany(list => list ?? []).Select(item => item!.GetValue<string>()))
        {
            layers.Exclude(entry);
        }

        return layers;
    }

    public static QuantizedLayers Experts(WeightFormat format) => new(format, expertsOnly: true);

    /// <param name="name">Such as <c>model.layers.0.self_attn.q_proj</c>, without what a multimodal checkpoint puts before.</param>
    public bool Contains(string name, bool isExpert) =>
        Format.Bits is not null
        && (!_expertsOnly || isExpert)
        && !(_names.Count > 0 && Parts(name).Any(_names.Contains))
        && !_expressions.Exists(expression => expression.IsMatch(name) || expression.IsMatch("language_model." + name));

    private void Exclude(string entry)
    {
        const string Prefix = "re:";
        if (!entry.StartsWith(Prefix, StringComparison.Ordinal) && !entry.Contains('*', StringComparison.Ordinal))
        {
            _names.Add(entry.StartsWith("language_model.", StringComparison.Ordinal) ? entry["language_model.".Length..] : entry);
            return;
        }

        var pattern = entry.StartsWith(Prefix, StringComparison.Ordinal)
            ? $"^(?:{entry[Prefix.Length..]})"
            : $@"(^|\.){Regex.Escape(entry).Replace(@"\*", ".*", StringComparison.Ordinal)}($|\.)";
        try
        {
            // A checkpoint is downloaded data: its expressions must not run away.
            _expressions.Add(new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ModelConfigException(
                $"config.json: '{entry}' is no regular expression that can be matched in linear time: {e.Message}", e);
        }

        if (_expressions.Count > MostExpressions)
        {
            throw new ModelConfigException($"config.json: more than {MostExpressions} patterns of layers that are not quantized");
        }
    }

    /// <summary>Every run of whole parts of a name: <c>a.b</c> of <c>x.a.b.c</c>.</summary>
    private static IEnumerable<string> Parts(string name)
    {
        int[] starts = [0, .. Ends(name).Select(end => end + 1)];
        int[] ends = [.. Ends(name), name.Length];
        return starts.SelectMany(start => ends.Where(end => end > start).Select(end => name[start..end]));
    }

    private static IEnumerable<int> Ends(string name) => Enumerable.Range(0, name.Length).Where(i => name[i] == '.');
}
