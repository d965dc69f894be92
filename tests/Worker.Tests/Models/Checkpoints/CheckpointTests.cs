using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Tests.Models.Checkpoints;

public sealed class CheckpointTests
{
    private const string Index = "model.safetensors.index.json";

    /// <summary>Index and the reason that the error must name. The folder has the shard <c>one.safetensors</c> with tensor
    /// <c>a</c>.</summary>
    public static TheoryData<string, string> BadIndexes { get; } = new()
    {
        { "", "not valid JSON" },
        { "[]", "has no object 'weight_map'" },
        { """{"metadata":{}}""", "has no object 'weight_map'" },
        { """{"weight_map":[]}""", "has no object 'weight_map'" },
        { """{"weight_map":{"a":1}}""", "tensor 'a' is not mapped to a file name" },
        { """{"weight_map":{"a":"one.safetensors","a":"one.safetensors"}}""", "not valid JSON" },
        { """{"weight_map":{"b":"one.safetensors"}}""", "tensor 'b' is said to be in 'one.safetensors', which does not have it" },
        { """{"weight_map":{"a":"two.safetensors"}}""", "tensor 'a' is said to be in 'two.safetensors', but there is no such file" },
        { """{"weight_map":{"a":"../one.safetensors"}}""", "tensor 'a' names shard '../one.safetensors'" },
        { """{"weight_map":{"a":"/etc/passwd"}}""", "names shard '/etc/passwd'" },
        { """{"weight_map":{"a":"sub\\one.safetensors"}}""", "names shard" },
        { """{"weight_map":{"a":".."}}""", "names shard '..'" },
        { """{"weight_map":{"a":""}}""", "names shard ''" },
        { """{"weight_map":{"a":"one\u0000.safetensors"}}""", "names shard" },
    };

    [Theory, MemberData(nameof(BadIndexes))]
    public void A_bad_index_is_refused_with_a_reason(string index, string reason)
    {
        using var folder = new TemporaryFolder();
        folder.WriteSafetensors("one.safetensors", """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 4);
        var path = folder.Write(Index, index);

        var error = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder.Path));

        Assert.StartsWith(path, error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void A_corrupt_shard_is_named()
    {
        using var folder = new TemporaryFolder();
        var shard = folder.WriteSafetensors("one.safetensors", """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 2);
        folder.Write(Index, """{"weight_map":{"a":"one.safetensors"}}""");

        Assert.StartsWith(shard, Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder.Path)).Message);
    }

    [Fact]
    public void A_folder_without_weights_says_what_was_looked_for()
    {
        using var folder = new TemporaryFolder();
        folder.Write("pytorch_model.bin", "x");

        var error = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder.Path));

        Assert.Contains("neither model.safetensors nor model.safetensors.index.json", error.Message);
        Assert.Contains("'pytorch_model.bin'", error.Message);
    }

    [Fact]
    public void Shards_are_read_as_one_checkpoint()
    {
        var sharded = Checkpoint.Open(Fixtures.Checkpoint("llama3.1"));

        Assert.Equal(30, sharded.Names.Count);
        Assert.Equal(340_864, sharded.TotalBytes);
        Assert.Equal([320, 64], sharded.Find("lm_head.weight")!.Shape);
        Assert.EndsWith("model-00002-of-00002.safetensors", sharded.FileOf("lm_head.weight"));
        Assert.Null(sharded.Find("model.layers.3.input_layernorm.weight"));
    }

    [Fact]
    public void Tensors_outlive_the_checkpoint_that_opened_them()
    {
        var tensor = Checkpoint.Open(Fixtures.Haiku).Find("model.norm.weight")!;
        var before = tensor.Row(0).ToArray();
        GC.Collect();
        GC.WaitForPendingFinalizers();

        Assert.Equal(before, tensor.Row(0).ToArray());
    }
}
