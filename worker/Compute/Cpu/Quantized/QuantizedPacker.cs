using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Rearranges codes, scales, zeros and tables of a checkpoint into <see cref="QuantizedPanels"/>, without decoding. Called by
/// <see cref="CpuBackend"/> while weights load.</summary>
internal static unsafe class QuantizedPacker
{
    /// <summary>Writes the group of each input, and of the one that makes their number even.</summary>
    public static void WriteGroups(QuantizedMatrix part, QuantizedPanels target)
    {
        if (part is GroupedMatrix grouped)
        {
            grouped.GroupOf.CopyTo(new Span<int>(target.Groups, grouped.InFeatures));
            target.Groups[2 * target.Pairs - 1] = grouped.GroupOf[^1];
        }
    }

    /// <summary>Packs the outputs of one panel. Panels may be packed in parallel.</summary>
    public static void Pack(IReadOnlyList<QuantizedMatrix> parts, QuantizedPanels target, int panel)
    {
        var address = target.Panels + panel * target.PanelBytes;
        NativeMemory.Clear(address, (nuint)target.PanelBytes);
        var first = panel * target.PanelWidth;
        var partStart = 0;
        foreach (var part in parts)
        {
            var from = Math.Max(first, partStart);
            var to = Math.Min(first + target.PanelWidth, partStart + part.OutFeatures);
            if (from < to)
            {
                PackCodes(part, from - partStart, to - from, (uint*)(address + target.TableBytes) + (from - first), target.PanelWidth);
                for (var output = from; output < to; output++)
                {
                    PackTable(part, output - partStart, address, output - first, target);
                }
            }

            partStart += part.OutFeatures;
        }
    }

    private static void PackCodes(QuantizedMatrix part, int firstOutput, int count, uint* words, int panelWidth)
    {
        Span<byte> codes = stackalloc byte[panelWidth];
        codes = codes[..count];
        var perWord = 32 / part.Bits;
        for (var k = 0; k < part.InFeatures; k++)
        {
            part.ReadCodes(k, firstOutput, codes);
            var row = words + (long)(k / perWord) * panelWidth;
            for (var i = 0; i < codes.Length; i++)
            {
                row[i] |= (uint)codes[i] << (part.Bits * (k % perWord));
            }
        }
    }

    private static void PackTable(QuantizedMatrix part, int output, byte* table, int lane, QuantizedPanels target)
    {
        switch (part)
        {
            case Fp8Matrix fp8:
                ((float*)table)[lane] = fp8.Scale(output);
                break;
            case GroupedMatrix grouped:
                for (var group = 0; group < grouped.Groups; group++)
                {
                    PackPair(table, group, lane, target, grouped.Scale(group, output), grouped.Zero(group, output));
                }

                break;
            case LookupMatrix lookup:
                for (var entry = 0; entry < LookupMatrix.Entries; entry += 2)
                {
                    PackPair(table, entry / 2, lane, target, lookup.Entry(output, entry), lookup.Entry(output, entry + 1));
                }

                break;
            default:
                throw new NotSupportedException($"quantized layer '{part.Name}' is a {part.GetType().Name}, which has no kernel on cpu");
        }
    }

    private static void PackPair(byte* table, int pair, int lane, QuantizedPanels target, float even, float odd)
    {
        var width = target.PanelWidth;
        switch (target.TableDType)
        {
            case DType.F16:
                ((uint*)table)[pair * width + lane] = BitConverter.HalfToUInt16Bits((Half)even)
                    | ((uint)BitConverter.HalfToUInt16Bits((Half)odd) << 16);
                break;
            case DType.BF16:
                ((uint*)table)[pair * width + lane] = (BitConverter.SingleToUInt32Bits(even) >> 16)
                    | (BitConverter.SingleToUInt32Bits(odd) & 0xFFFF_0000);
                break;
            default:
                ((float*)table)[2 * pair * width + lane] = even;
                ((float*)table)[(2 * pair + 1) * width + lane] = odd;
                break;
        }
    }
}
