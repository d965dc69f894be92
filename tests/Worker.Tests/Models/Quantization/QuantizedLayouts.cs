using System.Runtime.InteropServices;
using System.Text;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Quantization;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Compute.Cpu.Quantized;

namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>Reads layers that a test packed by a format's definition.</summary>
internal static class QuantizedLayouts
{
    /// <param name="json">The quantization's settings.</param>
    public static QuantizationScheme Scheme(string json) =>
        QuantizationScheme.Find(ConfigObject.Parse("config.json", Encoding.UTF8.GetBytes($$"""{"quantization_config":{{json}}}""")))!;

    /// <summary>A layer, of which no tensor may be left over.</summary>
    public static QuantizedMatrix Read(QuantizationScheme scheme, WeightPart part, Slice inputs, params HostTensor[] tensors)
    {
        var checkpoint = new CheckpointTensors(new MemoryWeights(tensors));
        var matrix = scheme.Read(new LayerTensors(checkpoint, scheme.Method, part, inputs));
        Assert.DoesNotContain(checkpoint.Untaken, name => !scheme.IsIgnorable(name));
        return matrix;
    }

    /// <param name="expected">The weight of an output and an input.</param>
    public static void AssertWeights(QuantizedMatrix matrix, Func<int, int, float> expected)
    {
        var weights = QuantizedMatrices.Dequantize(matrix);
        ForEach(
            matrix.OutFeatures, matrix.InFeatures, (n, k) => Assert.Equal(expected(n, k), weights[n * matrix.InFeatures + k]));

        // A run that begins in the middle, as panels ask for.
        var all = new byte[matrix.OutFeatures];
        var some = new byte[matrix.OutFeatures / 3];
        matrix.ReadCodes(matrix.InFeatures - 1, 0, all);
        matrix.ReadCodes(matrix.InFeatures - 1, some.Length, some);
        Assert.Equal(all[some.Length..(2 * some.Length)], some);
    }

    public static HostTensor Words(string name, uint[,] words) => HostTensors.Raw(
        name, DType.I32, MemoryMarshal.AsBytes<uint>(words.Cast<uint>().ToArray()), words.GetLength(0), words.GetLength(1));

    public static void ForEach(int rows, int columns, Action<int, int> action)
    {
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                action(row, column);
            }
        }
    }
}
