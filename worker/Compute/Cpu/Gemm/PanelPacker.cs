using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>Rearranges checkpoint matrices into the panels of <see cref="PackedWeight"/>. Called by <c>CpuBackend.LoadLinear</c> while
/// weights load.</summary>
internal static unsafe class PanelPacker
{
    /// <summary>The format panels of these parts get: their own dtype, or F32 when they differ.</summary>
    public static DType FormatOf(IReadOnlyList<HostTensor> parts)
    {
        var format = parts[0].DType;
        foreach (var part in parts)
        {
            if (part.DType != format)
            {
                return DType.F32;
            }
        }

        return format;
    }

    /// <summary>Packs the outputs of one panel. Panels may be packed in parallel.</summary>
    /// <param name="parts"><c>[out_i, in]</c> matrices, stacked.</param>
    /// <param name="panel">Which panel; its outputs start at panel · panelWidth.</param>
    /// <param name="destination">The panel's memory, <see cref="PackedWeight.PanelBytes"/> long.</param>
    /// <exception cref="InvalidDataException">An F16 weight is infinite or NaN, which the kernels cannot widen.</exception>
    public static void Pack(IReadOnlyList<HostTensor> parts, DType format, int panel, int panelWidth, byte* destination)
    {
        var pairs = PackedWeight.PairsOf(parts[0].RowLength);
        NativeMemory.Clear(destination, (nuint)PackedWeight.PanelBytesOf(parts[0].RowLength, format, panelWidth));
        var buffer = format == DType.F32 ? new float[2 * pairs] : [];
        var first = panel * panelWidth;
        var partStart = 0;
        foreach (var part in parts)
        {
            var from = Math.Max(first, partStart);
            var to = Math.Min(first + panelWidth, partStart + part.Rows);
            for (var output = from; output < to; output++)
            {
                if (format == DType.F32)
                {
                    WeightReader.ReadRow(part, output - partStart, buffer);
                    PackFloats(buffer, output - first, panelWidth, (float*)destination);
                }
                else
                {
                    var row = part.Row(output - partStart);
                    if (format == DType.F16)
                    {
                        RequireFinite(part, output - partStart, row);
                    }

                    PackHalves(row, output - first, panelWidth, (uint*)destination);
                }
            }

            partStart += part.Rows;
        }
    }

    private static void PackFloats(float[] row, int lane, int panelWidth, float* panel)
    {
        for (var k = 0; k < row.Length; k++)
        {
            panel[(long)k * panelWidth + lane] = row[k];
        }
    }

    private static void PackHalves(ReadOnlySpan<byte> row, int lane, int panelWidth, uint* panel)
    {
        ref var source = ref MemoryMarshal.GetReference(row);
        var pairs = row.Length / sizeof(uint);
        for (var pair = 0; pair < pairs; pair++)
        {
            panel[(long)pair * panelWidth + lane] = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref source, (nint)pair * sizeof(uint)));
        }

        if (row.Length % sizeof(uint) != 0)
        {
            panel[(long)pairs * panelWidth + lane] = Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref source, (nint)pairs * sizeof(uint)));
        }
    }

    private static void RequireFinite(HostTensor tensor, int row, ReadOnlySpan<byte> halves)
    {
        const int Exponent = 0x7C00;
        for (var i = 0; i < halves.Length; i += sizeof(ushort))
        {
            if ((MemoryMarshal.Read<ushort>(halves[i..]) & Exponent) == Exponent)
            {
                throw new InvalidDataException(
                    $"tensor '{tensor.Name}' has an infinite or NaN element at [{row}, {i / sizeof(ushort)}]; weights must be finite");
            }
        }
    }
}
