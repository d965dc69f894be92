using System.Collections.Immutable;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Sources.Twins;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Models.Sources;

/// <summary>A model of true shapes, random weights and numbered words, for benchmarks on machines that have no checkpoint. Called by
/// <see cref="ModelLoader"/>; what a folder has in config.json and in the tokenizer's files, <see cref="FileMounts"/> shows under its
/// name, so that whoever reads a folder reads it, too.</summary>
/// <remarks><c>synthetic:SHAPE</c> is in BF16; <c>synthetic:SHAPE:TWIN</c> has the same weights in a checkpoint format of codes, rounded as
/// it rounds.</remarks>
internal sealed class SyntheticModel : IMountedFiles
{
    private const string Scheme = "synthetic:";

    private static readonly SyntheticShape[] Shapes =
    [
        // HuggingFaceTB/SmolLM-135M
        new("llama-135m", Hidden: 576, Intermediate: 1536, Layers: 30, Heads: 9, KvHeads: 3, Vocabulary: 49152, Positions: 2048),

        // JackFram/llama-160m: unlike the one above, its heads can be dealt to 2 and 4 ranks.
        new("llama-160m", Hidden: 768, Intermediate: 3072, Layers: 12, Heads: 12, KvHeads: 12, Vocabulary: 32000, Positions: 2048)
        {
            IsTied = false,
        },

        // meta-llama/Llama-3.2-1B
        new("llama-1b", Hidden: 2048, Intermediate: 8192, Layers: 16, Heads: 32, KvHeads: 8, Vocabulary: 128256, Positions: 131072)
        {
            RopeFactor = 32,
        },

        // meta-llama/Llama-3.1-8B and -70B
        new("llama-8b", Hidden: 4096, Intermediate: 14336, Layers: 32, Heads: 32, KvHeads: 8, Vocabulary: 128256, Positions: 131072)
        {
            IsTied = false,
            RopeFactor = 8,
        },
        new("llama-70b", Hidden: 8192, Intermediate: 28672, Layers: 80, Heads: 64, KvHeads: 8, Vocabulary: 128256, Positions: 131072)
        {
            IsTied = false,
            RopeFactor = 8,
        },

        // The first with eight MLPs a layer in Mixtral's form.
        new("moe-135m", Hidden: 576, Intermediate: 1536, Layers: 30, Heads: 9, KvHeads: 3, Vocabulary: 49152, Positions: 2048)
        {
            Experts = 8,
        },
    ];

    private static readonly SyntheticTwin[] Twins =
    [
        new GptqTwin(), new AwqTwin(), new PackedTwin(4), new Fp8Twin(), new Int8Twin(), new PackedTwin(8),
    ];

    private readonly Lazy<ModelConfig> _config;

    private SyntheticModel(SyntheticShape shape, SyntheticTwin? twin)
    {
        (Shape, Twin) = (shape, twin);
        Name = Scheme + shape.Name + (twin is null ? "" : ":" + twin.Name);
        _config = new(() => ModelConfig.Load(Name));
    }

    /// <summary>As <c>--model</c> spells it.</summary>
    public string Name { get; }

    public SyntheticShape Shape { get; }

    /// <summary>The format of the codes; null for BF16.</summary>
    public SyntheticTwin? Twin { get; }

    public ModelConfig Config => _config.Value;

    /// <summary>What there is, for messages and help.</summary>
    public static string Available { get; } =
        $"{string.Join(", ", Shapes.Select(shape => Scheme + shape.Name))}, each in BF16 or quantized: "
        + $"{string.Join(", ", Twins.Select(twin => $"NAME:{twin.Name}"))}";

    public IReadOnlySet<string> Names { get; } =
        ImmutableHashSet.Create("config.json", TokenizerReader.FileName, TokenizerReader.ConfigFileName);

    public static bool IsSource(string source) => source.StartsWith(Scheme, StringComparison.Ordinal);

    /// <summary>Finds a model and shows its files.</summary>
    /// <exception cref="ArgumentException">No such model; lists those there are.</exception>
    public static SyntheticModel Find(string source)
    {
        var parts = (IsSource(source) ? source[Scheme.Length..] : "").Split(':');
        var shape = Array.Find(Shapes, shape => shape.Name == parts[0]);
        var twin = parts.Length == 2 ? Array.Find(Twins, twin => twin.Name == parts[1]) : null;
        if (shape is null || parts.Length > 2 || (parts.Length == 2 && twin is null))
        {
            throw new ArgumentException($"there is no model '{source}'; available: {Available}");
        }

        return Of(shape, twin);
    }

    /// <summary>A model of any shape, whose files are shown, too.</summary>
    public static SyntheticModel Of(SyntheticShape shape, SyntheticTwin? twin = null)
    {
        var model = new SyntheticModel(shape, twin);
        FileMounts.Add(model.Name, model);
        return model;
    }

    /// <summary>Tensors of the right shapes and zeros, for counting what a step would do.</summary>
    public WeightSource EmptyWeights() => new SyntheticWeights(this) { IsEmpty = true };

    /// <summary>The same weights at every call.</summary>
    public WeightSource Weights() => new SyntheticWeights(this);

    public byte[] Read(string name) => name switch
    {
        "config.json" => Encoding.UTF8.GetBytes(ConfigJson().ToJsonString(new() { WriteIndented = true })),
        TokenizerReader.FileName => NumberedWords.TokenizerJson(Shape.Vocabulary),
        _ => NumberedWords.ConfigJson(Shape.Positions),
    };

    private JsonObject ConfigJson()
    {
        var json = Shape.ConfigJson();
        if (Twin is not null)
        {
            json[QuantizationMethods.ConfigFields[0]] = Twin.ConfigJson(Shape.GroupSize);
        }

        return json;
    }
}
