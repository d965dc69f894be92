using System.Buffers.Binary;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>What a GGUF file may say, and what is refused of it: with file, tensor or key, value, and what would be right.</summary>
public sealed class GgufFileTests
{
    private static readonly ModelRunnerOptions Options = new() { MaxModelLength = 16, MaxSequences = 1, MaxBatchedTokens = 16 };

    [Theory, InlineData(2, 32), InlineData(3, 32), InlineData(3, 64)]
    public void Keys_and_tensors_are_read(uint version, int alignment)
    {
        using TemporaryFolder folder = new();
        var file = GgufFile.Open(folder.Write("a.gguf", new GgufWriter(version, alignment)
            .Add("s", "text").Add("u", 7u).Add("f", 0.5f).Add("b", true).Add("ts", ["x", "", "é"]).Add("is", [1, -2])
            .AddTensor("first", 1, [1, 2, 3, 4, 5, 6], 3)
            .AddTensor("second", 0, new byte[24], 2, 3)
            .ToBytes()));

        Assert.Equal(("text", 7, 0.5, true), (
            file.Metadata.Text("s"), file.Metadata.Integer("u"), file.Metadata.Number("f"), file.Metadata.Boolean("b")));
        Assert.Equal(["x", "", "é"], file.Metadata.Texts("ts")!);
        Assert.Equal([1, -2], file.Metadata.Integers("is")!);
        Assert.Null(file.Metadata.Text("missing"));
        Assert.Equal(["first", "second"], file.Tensors.Select(tensor => tensor.Name));
        Assert.Equal([2, 3], file.Tensors[1].Shape);
        Assert.Equal(0, file.Tensors[1].Offset % alignment);
        Assert.Equal([1, 2, 3, 4, 5, 6], file.Mapping.Bytes(file.Tensors[0].Offset, 6).ToArray());
    }

    public static TheoryData<string, byte[], string> Broken => new()
    {
        { "short", new byte[10], "has 10 bytes; a GGUF file begins with 24 bytes of counts" },
        { "magic", Changed(0, 0x4C4D4747), "is no GGUF file" },
        { "version 1", Changed(4, 1), "is GGUF version 1; supported: 2, 3" },
        { "big endian", Changed(4, 0x03000000), "is a big-endian GGUF file" },
        { "tensors", Changed(8, int.MaxValue), "claims 2147483647 tensors; at most 1048576 are allowed" },
        { "keys", Changed(16, int.MaxValue), "claims 2147483647 keys; at most 65536 are allowed" },
        { "key count", Changed(16, 60000), "key 3 claims" },
        { "truncated", Sound()[..^8], "outside the file of" },
        { "twice", new GgufWriter().Add("a", 1u).Add("a", 2u).ToBytes(), "has the key 'a' twice" },
        {
            "tensor twice", new GgufWriter().AddTensor("a", 0, new byte[4], 1).AddTensor("a", 0, new byte[4], 1).ToBytes(),
            "tensor 'a' is there twice"
        },
        {
            "type", new GgufWriter().AddTensor("a", 23, new byte[136], 1, 256).ToBytes(),
            "tensor 'a' is IQ4_XS; supported: F32, F16, Q4_0, Q8_0, Q4_K, Q5_K, Q6_K, BF16"
        },
        { "no type", new GgufWriter().AddTensor("a", 4, new byte[136], 1, 256).ToBytes(), "tensor 'a' is of type 4" },
        { "blocks", new GgufWriter().AddTensor("a", 12, new byte[144], 1, 100).ToBytes(), "has rows of 100 Q4_K, which come in 256s" },
        { "no dimensions", new GgufWriter().AddTensor("a", 0, new byte[4]).ToBytes(), "has 0 dimensions; expected 1 to 4" },
        { "zero", new GgufWriter().AddTensor("a", 0, new byte[4], 0).ToBytes(), "has a dimension of 0" },
        { "overflow", new GgufWriter().AddTensor("a", 0, new byte[4], 1 << 20, 1 << 20, 1 << 20).ToBytes(), "whose product overflows" },
        { "alignment", new GgufWriter().Add("general.alignment", 3u).ToBytes(), "'general.alignment'; expected a power of two" },
        { "text", new GgufWriter().Add("general.alignment", "32").ToBytes(), "as 'general.alignment'; expected whole numbers" },
    };

    [Theory, MemberData(nameof(Broken))]
    public void A_broken_file_is_refused(string name, byte[] bytes, string reason)
    {
        using TemporaryFolder folder = new();
        var path = folder.Write("a.gguf", bytes);

        var error = Assert.Throws<CheckpointFormatException>(() => GgufFile.Open(path));
        Assert.StartsWith(path, error.Message);
        Assert.True(error.Message.Contains(reason, StringComparison.Ordinal), $"{name}: {error.Message}");
    }

    [Fact]
    public void An_architecture_that_is_not_known_is_refused_with_those_that_are()
    {
        using TemporaryFolder folder = new();
        var path = folder.Write("a.gguf", new GgufWriter().Add("general.architecture", "mamba").ToBytes());

        var error = Assert.Throws<CheckpointFormatException>(() => ModelLoader.ConfigOf(path));
        Assert.Contains("the architecture 'mamba'; supported in GGUF files: llama, qwen2,", error.Message);
    }

    [Fact]
    public void A_key_of_the_architecture_that_nobody_knows_is_refused()
    {
        using TemporaryFolder folder = new();
        var path = folder.Write(
            "a.gguf", new GgufExport(RandomModel.Json(), RandomModel.Weights(1)).Write("F16").Add("llama.swiglu_limit", 7f).ToBytes());

        var error = Assert.Throws<CheckpointFormatException>(() => ModelLoader.ConfigOf(path));
        Assert.EndsWith("has keys that llama is not known to have: llama.swiglu_limit", error.Message);
    }

    [Fact]
    public void A_tensor_that_the_architecture_has_not_is_refused()
    {
        using TemporaryFolder folder = new();
        var path = folder.Write("a.gguf", new GgufExport(RandomModel.Json(), RandomModel.Weights(1)).Write("F16")
            .AddTensor("blk.0.attn_sub_norm.weight", 0, new byte[4], 1).ToBytes());

        var (config, weights) = ModelLoader.Open(path);
        var error = Assert.Throws<CheckpointFormatException>(
            () => ModelLoader.Load(config, weights, new Layers.ReferenceBackend(), Options));
        Assert.Contains("'blk.0.attn_sub_norm.weight'", error.Message);
    }

    [Fact]
    public void A_scale_that_is_no_number_is_refused()
    {
        using TemporaryFolder folder = new();
        var export = new GgufExport(RandomModel.Json(), RandomModel.Weights(1));
        var bytes = export.Write("Q4_K").ToBytes();
        var path = folder.Write("a.gguf", bytes);
        var tensor = GgufFile.Open(path).Tensors.Single(tensor => tensor.Name == "blk.0.ffn_down.weight");
        BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan((int)tensor.Offset + tensor.RowBytes + 144), Half.NaN);
        folder.Write("a.gguf", bytes);

        var (config, weights) = ModelLoader.Open(path);
        var error = Assert.Throws<CheckpointFormatException>(
            () => ModelLoader.Load(config, weights, new Layers.ReferenceBackend(), Options));
        Assert.Contains("has NaN as a scale of block 1 of row 1; every scale must be finite", error.Message);
    }

    [Fact]
    public void A_folder_with_one_file_is_that_file_and_with_several_says_so()
    {
        using TemporaryFolder folder = new();
        Assert.Null(GgufModel.PathOf(folder.Path));
        var path = folder.Write("model-Q8_0.gguf", Sound());
        Assert.Equal(path, GgufModel.PathOf(folder.Path));
        Assert.Equal("model-Q8_0", ModelSource.Parse(path, null, File.Exists).DefaultName);

        folder.Write("other.gguf", Sound());
        var error = Assert.Throws<CheckpointFormatException>(() => GgufModel.PathOf(folder.Path));
        Assert.EndsWith("has 2 models: model-Q8_0.gguf, other.gguf; name one of them by its path", error.Message);

        folder.Write("model.safetensors", [1]);
        Assert.Null(GgufModel.PathOf(folder.Path));
    }

    [Fact]
    public void Shards_are_one_model()
    {
        using TemporaryFolder folder = new();
        var first = folder.Write("m-00001-of-00002.gguf", new GgufWriter()
            .Add("general.architecture", "llama").Add("split.count", 2u).Add("split.no", 0u).AddTensor("a", 0, new byte[4], 1).ToBytes());
        var error = Assert.Throws<FileNotFoundException>(() => GgufModel.Open(first));
        Assert.Contains("m-00002-of-00002.gguf", error.Message);

        var second = folder.Write("m-00002-of-00002.gguf", new GgufWriter()
            .Add("split.count", 2u).Add("split.no", 1u).AddTensor("b", 0, new byte[4], 1).ToBytes());
        Assert.Equal(["a", "b"], GgufModel.Open(first).Tensors.Select(tensor => tensor.Name));
        Assert.Equal(first, GgufModel.PathOf(folder.Path));
        Assert.Contains("name the first of them", Assert.Throws<CheckpointFormatException>(() => GgufModel.Open(second)).Message);
    }

    private static byte[] Sound() =>
        new GgufWriter().Add("general.architecture", "llama")
            .AddTensor("a", 0, new byte[4], 1).AddTensor("b", 0, new byte[16], 4).ToBytes();

    private static byte[] Changed(int offset, int value)
    {
        var bytes = Sound();
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(offset), value);
        return bytes;
    }
}
