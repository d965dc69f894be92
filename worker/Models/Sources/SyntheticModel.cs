using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Sources;

/// <summary>A model of true shapes and random weights, for benchmarks on machines that have no checkpoint. Called by
/// <see cref="ModelLoader"/>.</summary>
internal sealed record SyntheticModel(string Name, ModelConfig Config)
{
    private const string Scheme = "synthetic:";

    private static readonly SyntheticModel[] Known =
    [
        // HuggingFaceTB/SmolLM-135M
        new("llama-135m", Llama(hidden: 576, intermediate: 1536, layers: 30, heads: 9, kvHeads: 3, vocabulary: 49152, positions: 2048)),

        // JackFram/llama-160m: unlike the one above, its heads can be dealt to 2 and 4 ranks.
        new("llama-160m",
            Llama(hidden: 768, intermediate: 3072, layers: 12, heads: 12, kvHeads: 12, vocabulary: 32000,
                positions: 2048) with { TieWordEmbeddings = false }),

        // meta-llama/Llama-3.2-1B
        new("llama-1b", Llama(hidden: 2048, intermediate: 8192, layers: 16, heads: 32, kvHeads: 8, vocabulary: 128256, positions: 131072)
            with
            {
                Rope = new RopeParameters(
                    500_000, 64, 8192, new Llama3RopeScaling { Factor = 32, LowFrequencyFactor = 1, HighFrequencyFactor = 4 })
            }),

        // meta-llama/Llama-3.1-8B and -70B
        new("llama-8b", Llama31(hidden: 4096, intermediate: 14336, layers: 32, heads: 32)),
        new("llama-70b", Llama31(hidden: 8192, intermediate: 28672, layers: 80, heads: 64)),
    ];

    public static bool IsSource(string source) => source.StartsWith(Scheme, StringComparison.Ordinal);

    /// <exception cref="ArgumentException">No such model; lists those there are.</exception>
    public static SyntheticModel Find(string source) =>
        Array.Find(Known, model => Scheme + model.Name == source)
        ?? throw new ArgumentException(
            $"there is no model '{source}'; available: {string.Join(", ", Known.Select(model => Scheme + model.Name))}");

    /// <summary>Tensors of the right shapes and no contents, for counting what a step would do.</summary>
    public WeightSource Shapes() => new SyntheticWeights(Scheme + Name, Config) { IsEmpty = true };

    /// <summary>The same weights at every call.</summary>
    public WeightSource Weights() => new SyntheticWeights(Scheme + Name, Config);

    private static ModelConfig Llama31(int hidden, int intermediate, int layers, int heads) =>
        Llama(hidden, intermediate, layers, heads, kvHeads: 8, vocabulary: 128256, positions: 131072) with
        {
            TieWordEmbeddings = false,
            Rope = new RopeParameters(
                500_000, 128, 8192, new Llama3RopeScaling { Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4 }),
        };

    private static ModelConfig Llama(int hidden, int intermediate, int layers, int heads, int kvHeads, int vocabulary, int positions) =>
        new()
        {
            Architecture = new Llama(),
            VocabSize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = intermediate,
            NumLayers = layers,
            NumHeads = heads,
            NumKvHeads = kvHeads,
            HeadDim = hidden / heads,
            NormEpsilon = 1e-5f,
            Activation = Activation.Silu,
            TieWordEmbeddings = true,
            MaxPositionEmbeddings = positions,
            Rope = new RopeParameters(10_000, hidden / heads, positions, new RopeScaling()),
            DType = DType.BF16,
        };
}
