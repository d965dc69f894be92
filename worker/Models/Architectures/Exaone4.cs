using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>EXAONE 4: outputs of attention and MLP are normalized instead of inputs, heads one by one; where some layers slide, these alone
/// rotate. HF modeling_exaone4.py.</summary>
internal sealed class Exaone4 : Architecture
{
    public override string Name => "Exaone4ForCausalLM";

    public override WeightNames WeightNames { get; } = Olmo2.Names;

    public override ModelConfig Read(ConfigObject json)
    {
        var config = ModelConfig.ReadCommonFields(this, json, new() { NormEpsilon = 1e-5 });
        var windows = SlidingWindows.Read(json, config.NumLayers, ReadPattern(json));
        return config with
        {
            Wiring = LayerWiring.PostNorm,
            QueryKeyNorm = QueryKeyNorm.PerHead,
            SlidingWindows = windows,
            UnrotatedLayers = SlidingWindows.OfFullAttention(windows),
        };
    }

    /// <summary>A number, or a word such as LLLG: L are the local ones, and slide.</summary>
    private static Func<int, bool> ReadPattern(ConfigObject json)
    {
        const string Field = "sliding_window_pattern";
        if (!json.IsString(Field))
        {
            var every = json.OptionalInteger(Field, 1, ModelConfig.MaxLayers) ?? 4;
            return layer => (layer + 1) % every != 0;
        }

        var word = json.OptionalString(Field)!;
        return word.Length > 0 && word.All(letter => letter is 'L' or 'G')
            ? layer => word[layer % word.Length] == 'L'
            : throw json.Invalid(Field, $"is '{word}'; expected a number, or letters L and G");
    }
}
