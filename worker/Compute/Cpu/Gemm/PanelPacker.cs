using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>Rearranges checkpoint matrices into the panels of <see cref="PackedWeight"/>. Called by <c>CpuBackend.LoadLinear</c> while
/// weights load.</summary>
internal static unsafe class PanelPacker
{
    /// <summary>Of a panel of 32 outputs they are 8 KiB.</summary>
    private const int PairsAtOnce = 64;

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
        var inFeatures = parts[0].RowLength;
        var first = panel * panelWidth;
        var rows = stackalloc byte*[panelWidth];
        var count = 0;
        var buffer = format == DType.F32 ? new float[2 * PackedWeight.PairsOf(inFeatures)] : [];
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

                    rows[output - first] = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(row));
                }

                count++;
            }

            partStart += part.Rows;
        }

        if (format != DType.F32)
        {
            PackHalves(rows, count, inFeatures, panelWidth, (uint*)destination);
        }

        // Outputs beyond the end, which come last.
        ClearLanes(count, inFeatures, format, panelWidth, destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackFloats(float[] row, int lane, int panelWidth, float* panel)
    {
        for (var k = 0; k < row.Length; k++)
        {
            panel[(long)k * panelWidth + lane] = row[k];
        }
    }

    /// <summary>Goes through all rows a piece at a time, so that what is written stays in the nearest cache until it is whole. Optimized at
    /// once: a model is loaded before the runtime would see that it pays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackHalves(byte** rows, int count, int inFeatures, int panelWidth, uint* panel)
    {
        var pairs = inFeatures / 2;
        for (var from = 0; from < pairs; from += PairsAtOnce)
        {
            var to = Math.Min(pairs, from + PairsAtOnce);
            for (var lane = 0; lane < count; lane++)
            {
                var source = rows[lane] + ((long)from * sizeof(uint));
                var target = panel + ((long)from * panelWidth) + lane;
                for (var pair = from; pair < to; pair++)
                {
                    *target = Unsafe.ReadUnaligned<uint>(source);
                    source += sizeof(uint);
                    target += panelWidth;
                }
            }
        }

        if (inFeatures % 2 != 0)
        {
            for (var lane = 0; lane < count; lane++)
            {
                panel[((long)pairs * panelWidth) + lane] = Unsafe.ReadUnaligned<ushort>(rows[lane] + ((long)pairs * sizeof(uint)));
            }
        }
    }

    private static void ClearLanes(int first, int inFeatures, DType format, int panelWidth, byte* panel)
    {
        var steps = (long)PackedWeight.PairsOf(inFeatures) * (format == DType.F32 ? 2 : 1);
        for (long step = 0; first < panelWidth && step < steps; step++)
        {
            new Span<uint>((uint*)panel + (step * panelWidth) + first, panelWidth - first).Clear();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
