using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Tests.Models.Checkpoints;

public sealed class SafetensorsFileTests
{
    private const string A = """ "a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]} """;

    /// <summary>Header, bytes of data behind it, the tensor and the reason that the error must name.</summary>
    public static TheoryData<string, int, string?, string> Corrupt { get; } = new()
    {
        { "", 0, null, "does not begin with '{'" },
        { "[]", 0, null, "does not begin with '{'" },
        { " {}", 0, null, "does not begin with '{'" },
        { "{", 0, null, "not valid JSON" },
        { "{} x", 0, null, "not valid JSON" },
        { "{\"\\ud800\":1}", 0, null, "not valid JSON" },
        { """{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{}}}}}}}}}""", 0, null, "not valid JSON" },
        { """{"__metadata__":[]}""", 0, null, "__metadata__" },
        { """{"__metadata__":{"format":1}}""", 0, null, "__metadata__ entry 'format'" },
        { """{"a":7}""", 0, "a", "not described by an object" },
        { """{"a":{"shape":[4],"data_offsets":[0,4]}}""", 4, "a", "has no dtype" },
        { """{"a":{"dtype":"U8","data_offsets":[0,4]}}""", 4, "a", "has no shape" },
        { """{"a":{"dtype":"U8","shape":[4]}}""", 4, "a", "has no data_offsets" },
        { """{"a":{"dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4]}}""", 4, "a", "has dtype twice" },
        { """{"a":{"dtype":"C64","shape":[4],"data_offsets":[0,4]}}""", 4, "a", "is C64; supported: F64, F32, F16, BF16" },
        { """{"a":{"dtype":1,"shape":[4],"data_offsets":[0,4]}}""", 4, "a", "dtype that is not a string" },
        { """{"a":{"dtype":"U8","shape":4,"data_offsets":[0,4]}}""", 4, "a", "shape that is not an array" },
        { """{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}""", 4, "a", "not a whole number" },
        { """{"a":{"dtype":"U8","shape":[4.5],"data_offsets":[0,4]}}""", 4, "a", "not a whole number" },
        { """{"a":{"dtype":"U8","shape":["4"],"data_offsets":[0,4]}}""", 4, "a", "not a whole number" },
        { """{"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,4]}}""", 4, "a", "not a whole number" },
        { """{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,4]}}""", 4, "a", "more than 8 entries in shape" },
        { """{"a":{"dtype":"U8","shape":[4294967296],"data_offsets":[0,4]}}""", 4, "a", "overflows" },
        { """{"a":{"dtype":"U8","shape":[1,65536,65536],"data_offsets":[0,0]}}""", 0, "a", "overflows" },
        { """{"a":{"dtype":"F64","shape":[4,4294967296,4294967296,4294967296],"data_offsets":[0,0]}}""", 0, "a", "overflows" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0]}}""", 4, "a", "has 1 data_offsets" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,2,4]}}""", 4, "a", "more than 2 entries in data_offsets" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}}""", 4, "a", "not a whole number" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}""", 4, "a", "outside the 4 bytes" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 3, "a", "outside the 3 bytes of data (truncated file?)" },
        { """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}}""", 4, "a", "takes 4 bytes, but shape [4] of F32 needs 16" },
        { """{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,4]}}""", 4, "a", "takes 4 bytes, but shape [0] of U8 needs 0" },
        { $$"""{ {{A}}, {{A}} }""", 4, "a", "appears twice" },
        { $$"""{ {{A}}, "b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]} }""", 6, "b", "overlaps tensor 'a'" },
        { $$"""{ {{A}}, "b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]} }""", 4, "b", "overlaps" },
        { $$"""{ {{A}}, "b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]} }""", 9, "b", "leaves a hole" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}}""", 5, "a", "leaves a hole" },
        { $$"""{ {{A}} }""", 9, null, "has 5 bytes after the last tensor" },
        { "{}", 1, null, "has 1 bytes after the last tensor" },
    };

    [Theory, MemberData(nameof(Corrupt))]
    public void A_corrupt_header_is_refused_by_file_tensor_and_reason(string header, int dataBytes, string? tensor, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.WriteSafetensors("bad.safetensors", header, dataBytes);

        var error = Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(path));

        Assert.Equal(tensor, error.Tensor);
        Assert.StartsWith(path, error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Theory]
    [InlineData(100_000_001UL, "at most 100000000 are allowed")]
    [InlineData(ulong.MaxValue, "at most 100000000 are allowed")]
    [InlineData(1000UL, "is truncated")]
    public void A_header_length_that_cannot_be_is_refused_before_anything_is_read(ulong headerBytes, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.WriteSafetensors("bad.safetensors", "{}", 0, headerBytes);

        Assert.Contains(reason, Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(path)).Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void A_file_too_short_for_a_header_length_is_refused(int bytes)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("short.safetensors", new byte[bytes]);

        Assert.Contains($"has {bytes} bytes", Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(path)).Message);
    }

    [Fact]
    public void Every_truncation_of_a_real_file_is_refused()
    {
        using var folder = new TemporaryFolder();
        var whole = File.ReadAllBytes(Fixtures.Golden("llama2"));
        for (var length = 0; length < whole.Length; length += length < 240 ? 1 : 9973)
        {
            var path = folder.Write("cut.safetensors", whole[..length]);
            Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(path));
        }
    }

    [Fact]
    public void A_random_change_of_the_header_is_refused_or_harmless()
    {
        using var folder = new TemporaryFolder();
        var whole = File.ReadAllBytes(Fixtures.Golden("llama2"));
        var random = new Random(1);
        Assert.All(Enumerable.Range(0, 300), i =>
        {
            var changed = whole.ToArray();
            changed[random.Next(8 + 216)] = (byte)random.Next(256);
            var path = folder.Write("changed.safetensors", changed);
            try
            {
                var file = SafetensorsFile.Open(path);
                foreach (var name in file.Names)
                {
                    var tensor = file.Find(name)!;
                    Assert.Equal(tensor.RowLength * tensor.DType.Size(), tensor.Row(tensor.Rows - 1).Length);
                }
            }
            catch (CheckpointFormatException)
            {
            }
        });
    }

    [Fact]
    public void Tensors_are_windows_of_the_file_in_any_order_of_the_header()
    {
        using var folder = new TemporaryFolder();
        var path = folder.WriteSafetensors("good.safetensors", """
            {"b":{"data_offsets":[4,8],"shape":[2,1],"dtype":"BF16","note":{"unknown":[1]}},
             "empty":{"dtype":"F32","shape":[0,3],"data_offsets":[8,8]},
             "scalar":{"dtype":"U8","shape":[],"data_offsets":[8,9]},
             "__metadata__":{"format":"pt"},
             "a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}
            """, 9);

        var file = SafetensorsFile.Open(path);

        Assert.Equal(["a", "b", "empty", "scalar"], file.Names.Order());
        Assert.Equal([1], file.Find("a")!.Row(1).ToArray());
        Assert.Equal([6, 7], file.Find("b")!.Row(1).ToArray());
        Assert.Equal(DType.BF16, file.Find("b")!.DType);
        Assert.Equal(0, file.Find("empty")!.ByteLength);
        Assert.Equal([8], file.Find("scalar")!.Row(0).ToArray());
        Assert.Null(file.Find("c"));
    }

    [Fact]
    public void A_file_without_tensors_is_a_safetensors_file()
    {
        using var folder = new TemporaryFolder();

        Assert.Empty(SafetensorsFile.Open(folder.WriteSafetensors("none.safetensors", "{}  ", 0)).Names);
    }
}
