using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Models.Layers;

/// <summary>The twin itself against numbers from tables: what no checkpoint of the repository exercises.</summary>
public sealed class ReferenceBackendTests
{
    [Theory]
    [InlineData("Silu", 1, 0.7310585786)]
    [InlineData("Gelu", 1, 0.8413447461)]
    [InlineData("Gelu", -3, -0.0040496941)]
    [InlineData("Gelu", 5.5, 5.4999998956)]
    [InlineData("Gelu", 40, 40)]
    [InlineData("Gelu", 0, 0)]
    [InlineData("GeluTanh", 1, 0.8411919906)]
    [InlineData("Relu", -2, 0)]
    [InlineData("Relu", 2, 2)]
    public void Activations_have_their_tabled_values(string activation, float gate, double expected)
    {
        using var backend = new ReferenceBackend();
        var gateUp = Row(backend, [gate, 2]);
        var output = backend.Allocate("output", DType.F32, 1);

        backend.GatedActivation(gateUp, Enum.Parse<Activation>(activation), output);

        var value = new float[1];
        backend.Download(output, value);
        Assert.Equal(2 * expected, value[0], 1e-6 * Math.Max(1, Math.Abs(expected)));
    }

    [Fact]
    public void A_norm_scales_to_unit_mean_square()
    {
        using var backend = new ReferenceBackend();
        var x = Row(backend, [3, 4]);
        var weight = Row(backend, [1, 2]);
        var output = backend.Allocate("output", DType.F32, 1, 2);

        backend.RmsNorm(x, weight, 0.5f, output);

        var values = new float[2];
        backend.Download(output, values);
        Assert.Equal(3 / Math.Sqrt(13), values[0], 1e-6);
        Assert.Equal(8 / Math.Sqrt(13), values[1], 1e-6);
    }

    /// <summary>Floats reach a device as weights only, so a row comes out of an embedding table.</summary>
    private static unsafe Tensor Row(ReferenceBackend backend, float[] values)
    {
        var ids = backend.Allocate("ids", DType.I32, 1);
        var row = backend.Allocate("row", DType.F32, 1, values.Length);
        fixed (float* address = values)
        {
            backend.Embed(ids, backend.LoadEmbedding(new HostTensor("table", DType.F32, [1, values.Length], (nint)address, values)), row);
        }

        return row;
    }
}
