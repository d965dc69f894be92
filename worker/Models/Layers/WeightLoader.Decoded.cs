using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Quantization;

namespace Cluster.Worker.Models.Layers;

/// <content>Weights that are computed with before they are loaded.</content>
internal sealed partial class WeightLoader
{
    /// <summary>A linear layer's weights as floats, row after row.</summary>
    /// <param name="layer">Without <c>.weight</c>.</param>
    /// <returns>And the type that holds them exactly.</returns>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    /// <exception cref="NotSupportedException">The tensor's type cannot be read.</exception>
    public (DType DType, float[] Values) Decoded(string layer, Slice outFeatures, int inFeatures)
    {
        var part = new WeightPart(layer, outFeatures);
        if (Quantization is not null && IsQuantized(part))
        {
            var matrix = Quantization.Read(new LayerTensors(_tensors, Quantization.Method, part, inFeatures));
            var decoded = matrix.Decode();
            GC.KeepAlive(matrix);
            return (DType.F32, decoded);
        }

        var host = _tensors.Take(layer + LayerTensors.Weight, outFeatures, inFeatures);
        var values = WeightReader.ReadAll(host);
        GC.KeepAlive(host);
        return (host.DType, values);
    }

    /// <summary>A linear layer that no checkpoint holds.</summary>
    /// <param name="name">What it is computed from, for messages.</param>
    /// <param name="dtype">F32, F16 or BF16.</param>
    /// <param name="values"><c>[outFeatures, inFeatures]</c>, rounded to the type.</param>
    public LinearWeight Computed(string name, DType dtype, float[] values, Slice outFeatures, int inFeatures)
    {
        HostTensor[] weights = [InMemory(name, dtype, values, outFeatures.Count, inFeatures)];
        return Loaded(name, backend.LoadLinear(name, weights), weights, null, inFeatures, [new(name, outFeatures)]);
    }

    private static HostTensor InMemory(string name, DType dtype, float[] values, params ReadOnlySpan<int> shape)
    {
        var pinned = GC.AllocateUninitializedArray<byte>(values.Length * dtype.Size(), pinned: true);
        var halves = MemoryMarshal.Cast<byte, ushort>(pinned.AsSpan());
        switch (dtype)
        {
            case DType.BF16:
                for (var i = 0; i < values.Length; i++)
                {
                    halves[i] = BFloat16.Bits(values[i]);
                }

                break;
            case DType.F16:
                for (var i = 0; i < values.Length; i++)
                {
                    halves[i] = BitConverter.HalfToUInt16Bits((Half)values[i]);
                }

                break;
            default:
                MemoryMarshal.AsBytes(values.AsSpan()).CopyTo(pinned);
                break;
        }

        return new HostTensor(name, dtype, [.. shape], Marshal.UnsafeAddrOfPinnedArrayElement(pinned, 0), pinned);
    }
}
