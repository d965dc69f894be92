using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

/// <summary>Every reference checkpoint is sized from its config.json and compared with the tensors it has.</summary>
public sealed class GoldenSizesTests
{
    private static readonly string Folder = Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "goldens");

    /// <summary>What a worker does not load: towers of multimodal checkpoints.</summary>
    private static readonly string[] Towers = ["vision_", "visual.", "multi_modal_projector."];

    public static TheoryData<string> Goldens =>
        [.. Directory.EnumerateFiles(Folder, "config.json", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Folder, Path.GetDirectoryName(file)!)).Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(Goldens))]
    public void Weights_are_counted_to_one_per_cent(string golden)
    {
        var shape = Shape(golden);
        var actual = Tensors(golden).Where(t => !Towers.Any(tower => t.Name.StartsWith(tower, StringComparison.Ordinal))).Sum(t => t.Bytes);
        Assert.InRange((double)shape.WeightBytes / actual, 0.99, 1.01);
    }

    [Theory, MemberData(nameof(Goldens))]
    public void Every_degree_holds_its_share_and_what_all_ranks_have(string golden)
    {
        var shape = Shape(golden);
        var degrees = shape.Degrees(4).ToList();
        Assert.Equal(1, degrees[0]);
        Assert.All(degrees, degree => Assert.InRange(
            shape.WeightBytesOn(degree) * degree, shape.WeightBytes - degree, shape.WeightBytes * degree));
    }

    [Fact]
    public void Towers_count_where_the_index_of_the_checkpoint_has_them()
    {
        var shape = Shape("gemma3-multimodal");
        var all = Tensors("gemma3-multimodal").Sum(t => t.Bytes);
        Assert.True(shape.WeightBytes < all);
        Assert.Equal(all, (shape with { CheckpointBytes = all }).WeightBytes);
    }

    private static ModelShape Shape(string golden) =>
        ModelShapeReader.Read(JsonNode.Parse(File.ReadAllBytes(Path.Combine(Folder, golden, "config.json")))!.AsObject());

    private static List<(string Name, long Bytes)> Tensors(string golden) =>
        [.. Directory.EnumerateFiles(Path.Combine(Folder, golden), "model*.safetensors").SelectMany(TensorsOf)];

    private static IEnumerable<(string Name, long Bytes)> TensorsOf(string path)
    {
        using var file = File.OpenRead(path);
        var length = new byte[sizeof(long)];
        file.ReadExactly(length);
        var header = new byte[BinaryPrimitives.ReadInt64LittleEndian(length)];
        file.ReadExactly(header);
        return JsonNode.Parse(header)!.AsObject().Where(entry => entry.Key != "__metadata__")
            .Select(entry => (entry.Key, Offset(entry.Value!, 1) - Offset(entry.Value!, 0)));

        static long Offset(JsonNode tensor, int end) => tensor["data_offsets"]![end]!.GetValue<long>();
    }
}
