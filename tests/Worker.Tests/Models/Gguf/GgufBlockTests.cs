using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models.Layers;
using Cluster.Worker.Tests.Models.Parallel;
using Cluster.Worker.Tests.Models.Quantization;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>A model in every type of weights against the same weights in F32: what a file's blocks mean, and what they take.</summary>
public sealed class GgufBlockTests
{
    private const int Prompt = 23;

    private static readonly ModelRunnerOptions Options = new()
    {
        MaxBatchedTokens = 32,
        MaxSequences = 2,
        MaxModelLength = 32,
        MaxLogits = 32,
        RoundsInputs = false,
    };

    public static TheoryData<string> Types => [.. GgufBlocks.Types, "Q4_K_M"];

    /// <summary>Bits a weight of the layers takes: those of the file, and of Q6_K a sixteenth for a whole word.</summary>
    public static TheoryData<string, double> Bits => new()
    {
        { "F32", 32 }, { "F16", 16 }, { "BF16", 16 }, { "Q8_0", 8.5 }, { "Q4_0", 4.5 }, { "Q4_K", 4.5 }, { "Q5_K", 5.5 }, { "Q6_K", 6.625 },
    };

    [Theory, MemberData(nameof(Types))]
    public void Logits_are_those_of_the_dequantized_weights(string type)
    {
        using TemporaryFolder folder = new();
        var (file, export) = Write(folder, type);
        var (config, weights) = ModelLoader.Open(file);
        var actual = Logits(config, weights, Cpu());

        // Looked-up embeddings are kept in F16.
        var expected = Logits(RandomModel.Config(), WithHalfEmbeddings(export.Decoded, type), new ReferenceBackend());
        var difference = Difference(expected, actual);
        Assert.True(difference < 1e-4, $"{type}: {difference}");
        Assert.True(expected.Max() > 0.1, "logits are too small to tell anything");
        var unrounded = Difference(Logits(RandomModel.Config(), export.Decoded, new ReferenceBackend()), actual);
        Assert.True(unrounded < 5e-3, $"{type}: {unrounded}");
        TestContext.Current.SendDiagnosticMessage($"{type}: max_abs_diff {difference}, with embeddings in F32 {unrounded}");
    }

    [Theory]
    [InlineData("Q8_0", 2)]
    [InlineData("Q4_0", 4)]
    [InlineData("Q4_K", 2)]
    [InlineData("Q5_K", 4)]
    [InlineData("Q6_K", 2)]
    [InlineData("Q6_K", 4)]
    [InlineData("F16", 2)]
    public void Ranks_that_cut_through_superblocks_have_the_logits_of_one(string type, int ranks)
    {
        using TemporaryFolder folder = new();
        var (file, _) = Write(folder, type);
        var (config, weights) = ModelLoader.Open(file);
        var expected = Logits(config, weights, Cpu());

        using var group = CpuRanks.Load(config, weights, ranks, Options);
        var actual = Run(group.Runner);

        Assert.True(Difference(expected, actual) < 1e-4);
    }

    [Theory, MemberData(nameof(Bits))]
    public void Blocks_stay_packed_in_memory(string type, double bits)
    {
        using TemporaryFolder folder = new();
        var (file, _) = Write(folder, type);
        var (config, weights) = ModelLoader.Open(file);
        using var model = ModelLoader.Load(config, weights, Cpu(), Options);

        // q, k, v, o, gate, up and down of two layers, and the output matrix: outputs come in panels of 32 or 16.
        const int Layers = 2, Hidden = RandomModel.Hidden, Intermediate = RandomModel.Intermediate, Vocabulary = RandomModel.Vocabulary;
        const long Weights = (Layers * ((2L * Hidden * Hidden) + (2 * 128 * Hidden) + (3 * Hidden * Intermediate))) + (Vocabulary * Hidden);
        const long Table = (long)Vocabulary * Hidden;
        var tableBytes = Table * (type == "F32" ? 4 : 2);
        var others = model.ResidentWeightBytes - tableBytes - (long)(Weights * bits / 8);

        // Biases of zero, norms, and the group of each input.
        Assert.InRange(others, 0, 64 * 1024);
    }

    [Fact]
    public void The_log_says_which_types_a_file_has()
    {
        using TemporaryFolder folder = new();
        var (file, _) = Write(folder, "Q4_K_M");

        Assert.Equal(
            "gguf: Q4_K 0.7 MiB, Q6_K 0.4 MiB, F32 0.0 MiB in the file", GgufModel.Open(file).Config().Quantization!.Description);
    }

    private static (string File, GgufExport Export) Write(TemporaryFolder folder, string type)
    {
        GgufExport export = new(RandomModel.Json(), RandomModel.Weights(seed: 3));

        // As llama.cpp mixes types: more bits for values and the way down, so that stacked layers are of several.
        var writer = type == "Q4_K_M"
            ? export.Write((name, _) => name.Contains("v_proj") || name.Contains("down_proj") ? "Q6_K" : "Q4_K")
            : export.Write(type);
        return (folder.Write("model.gguf", writer.ToBytes()), export);
    }

    private static MemoryWeights WithHalfEmbeddings(WeightSource weights, string type)
    {
        const string Name = "model.embed_tokens.weight";
        return new MemoryWeights([
            .. weights.Names.Select(name => weights.Find(name)!).Select(tensor => tensor.Name == Name && GgufBlocks.BlockSize(type) > 1
                ? HostTensors.Of(Name, DType.F16, WeightReader.ReadAll(tensor), [.. tensor.Shape])
                : tensor)]);
    }

    private static float Difference(float[] a, float[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();

    private static float[] Logits(ModelConfig config, WeightSource weights, Backend backend)
    {
        using var model = ModelLoader.Load(config, weights, backend, Options);
        return Run(model.Runner);
    }

    private static float[] Run(IModelRunner runner)
    {
        var sequence = new PackedSequences(runner, 1, Prompt);
        sequence.Add(0, [.. Enumerable.Range(0, Prompt).Select(i => i * 7 % RandomModel.Vocabulary)]);
        return sequence.Run().ToArray();
    }

    private static CpuBackend Cpu() => CpuBackend.Create(new CpuOptions { Threads = 2, MemoryBytes = 1L << 30 });
}
