using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Compute;

public class WeightReaderTests
{
    [Theory, InlineData(nameof(DType.F32)), InlineData(nameof(DType.F16)), InlineData(nameof(DType.BF16))]
    public void Elements_are_widened_exactly_at_any_alignment(string dtypeName)
    {
        var dtype = Enum.Parse<DType>(dtypeName);
        float[] values = [0, -0f, 1, -2.5f, 3.140625f, 6e-8f, -65504, .. HostTensors.Random(new Random(1), 14)];
        var tensor = HostTensors.Of("t", dtype, values, 3, 7);
        var row = new float[7];
        WeightReader.ReadRow(tensor, 1, row);
        var expected = values.Select(value => HostTensors.Rounded(dtype, value)).ToArray();
        Assert.Equal(expected[7..14], row);
        Assert.Equal(expected, WeightReader.ReadAll(tensor));
    }

    [Theory, InlineData(nameof(DType.F64), "F64"), InlineData(nameof(DType.I8), "I8"), InlineData(
        nameof(DType.F8E4M3), "F8_E4M3"), InlineData(nameof(DType.Bool), "BOOL")]
    public void Other_dtypes_are_refused_as_the_checkpoint_spells_them(string dtypeName, string spelling)
    {
        var dtype = Enum.Parse<DType>(dtypeName);
        var exception = Assert.Throws<NotSupportedException>(() => WeightReader.ReadAll(HostTensors.Of("lm_head.weight", dtype, [], 0)));
        Assert.Equal($"tensor 'lm_head.weight' is {spelling}; supported: F32, F16, BF16", exception.Message);
    }
}
