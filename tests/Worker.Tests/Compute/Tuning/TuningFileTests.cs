using Cluster.Worker.Compute.Tuning;

namespace Cluster.Worker.Tests.Compute.Tuning;

/// <summary>The file of PyTorch's TunableOp.</summary>
public sealed class TuningFileTests : IDisposable
{
    private static readonly (string, string)[] Here = [("PT_VERSION", "cluster-1"), ("DEVICE", "cpu")];

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.csv");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Is_written_as_TunableOp_writes_it_and_read_again()
    {
        var chosen = new Dictionary<GemmShape, TunedVariant>
        {
            [new("BFloat16", 768, 16, 256)] = new("Tasks_0.5", 0.0123456),
            [new("BFloat16", 768, 1, 256)] = new(TunedVariant.Default, 2),
            [new("float", 3, 512, 5)] = new("Chunk_10", 1.25),
        };
        TuningFile.Write(_path, Here, chosen);

        Assert.Equal(
            "Validator,PT_VERSION,cluster-1\nValidator,DEVICE,cpu\n"
            + "GemmTunableOp_BFloat16_TN,tn_768_1_256_ld_256_256_768,Default,2\n"
            + "GemmTunableOp_BFloat16_TN,tn_768_16_256_ld_256_256_768,Tasks_0.5,0.012346\n"
            + "GemmTunableOp_float_TN,tn_3_512_5_ld_5_5_3,Chunk_10,1.25\n",
            File.ReadAllText(_path));
        var read = TuningFile.Read(_path, Here, out var rejection);
        Assert.Null(rejection);
        Assert.Equal(chosen.Keys.ToHashSet(), read.Keys.ToHashSet());
        Assert.Equal("Chunk_10", read[new("float", 3, 512, 5)].Name);
    }

    [Theory]
    [InlineData("cluster-2", "cpu", "its validator PT_VERSION is 'cluster-2', and here it is 'cluster-1'")]
    [InlineData("cluster-1", "hip", "its validator DEVICE is 'hip', and here it is 'cpu'")]
    [InlineData("2.4.0", "cpu", "its validator PT_VERSION is '2.4.0', and here it is 'cluster-1'")]
    public void A_changed_validator_rejects_it_by_name(string version, string device, string expected)
    {
        File.WriteAllText(_path, $"Validator,PT_VERSION,{version}\nValidator,DEVICE,{device}\n{Row}\n");
        Assert.Empty(TuningFile.Read(_path, Here, out var rejection));
        Assert.Equal(expected, rejection);
    }

    [Fact]
    public void A_missing_validator_rejects_it_and_one_more_does_not()
    {
        File.WriteAllText(_path, $"Validator,PT_VERSION,cluster-1\n{Row}\n");
        Assert.Empty(TuningFile.Read(_path, Here, out var rejection));
        Assert.Equal("it has no validator DEVICE, which is 'cpu' here", rejection);

        File.WriteAllText(_path, $"Validator,ROCM_VERSION,6.4\nValidator,PT_VERSION,cluster-1\nValidator,DEVICE,cpu\n{Row}\n");
        Assert.Single(TuningFile.Read(_path, Here, out rejection));
        Assert.Null(rejection);
    }

    [Theory]
    [InlineData("GemmTunableOp_float_TN,tn_3_1_5,Default,1", 1)]
    [InlineData("GemmTunableOp_float_TN,tn_3_1_5_ld_5_5_3,Default,1\r", 1)]
    [InlineData("GemmTunableOp_float_TN,tn_3_1_5_ld_5_5_3,Default,1,5", 1)]
    [InlineData("GemmTunableOp_float_NT,nt_3_1_5_ld_5_5_3,Default,1", 0)]
    [InlineData("GemmTunableOp_float_TN,tn_3_-1_5_ld_5_5_3,Default,1", 0)]
    [InlineData("GemmTunableOp_float_TN,tn_3_1_5_ld_5_5_3,,1", 0)]
    [InlineData("GemmTunableOp_float_TN,tn_3_1_5_ld_5_5_3,Default,soon", 0)]
    [InlineData("GemmTunableOp_float_TN,tn_3_1_99999999999_ld_5_5_3,Default,1", 0)]
    [InlineData("hello", 0)]
    public void Rows_that_are_none_are_named_by_their_line(string row, int rows)
    {
        File.WriteAllText(_path, $"Validator,PT_VERSION,cluster-1\nValidator,DEVICE,cpu\n{row}\n");
        Assert.Equal(rows, TuningFile.Read(_path, Here, out var rejection).Count);
        Assert.Equal(rows == 1 ? null : $"line 3 is no row of TunableOp: '{row}'", rejection);
    }

    private const string Row = "GemmTunableOp_float_TN,tn_3_1_5_ld_5_5_3,Default,1";
}
