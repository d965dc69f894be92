using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Rearranges codes, scales, zeros and tables of a checkpoint into <see cref="QuantizedPanels"/>, without decoding. Called by
/// <see cref="CpuBackend"/> while weights load.</summary>
internal static unsafe class QuantizedPacker
{
    /// <summary>Packs the outputs of one panel. Panels may be packed in parallel.</summary>
    public static void Pack(IReadOnlyList<QuantizedMatrix> parts, QuantizedPanels target, int panel)
    {
        var address = target.Panels + panel * target.PanelBytes;
        NativeMemory.Clear(address, (nuint)target.PanelBytes);
        var blocks = 0;
        foreach (var (part, output, count, lane) in target.OutputsOf(parts, panel))
        {
            if (part is SuperblockMatrix superblocks)
            {
                SuperblockPacker.Pack(
                    superblocks, output, count, (uint*)address + lane, (uint*)(address + target.TableBytes) + lane, target);
                continue;
            }

            var codes = (uint*)(address + target.TableBytes) + lane;
            if (part.BytesOf(output).IsEmpty || target.Segments is { Order.IsEmpty: false })
            {
                PackCodes(part, output, count, codes, target);
            }
            else
            {
                PackBytes(part, output, count, codes, target);
            }

            for (var i = 0; i < count; i++)
            {
                if (part is BlockFp8Matrix block)
                {
                    PackBlock(block, output + i, isFirst: i == 0, (uint*)address, lane + i, target.PanelWidth, ref blocks);
                }
                else
                {
                    PackTable(part, output + i, address, lane + i, target);
                }
            }
        }
    }

    private static void PackCodes(QuantizedMatrix part, int firstOutput, int count, uint* words, QuantizedPanels target)
    {
        var panelWidth = target.PanelWidth;
        Span<byte> codes = stackalloc byte[panelWidth];
        codes = codes[..count];
        var perWord = 32 / part.Bits;
        var mask = SignMask(target);
        for (var place = 0; place < (target.Segments?.Length ?? part.InFeatures); place++)
        {
            var input = target.Segments?.InputAt(place, part.InFeatures) ?? place;
            if (input < 0)
            {
                continue;
            }

            part.ReadCodes(input, firstOutput, codes);
            var shift = target.Kind == QuantizedKind.Mxfp4 ? Mxfp4Codes.ShiftOf(place % perWord) : part.Bits * (place % perWord);
            var row = words + (long)(place / perWord) * panelWidth;
            for (var i = 0; i < codes.Length; i++)
            {
                row[i] |= (uint)(codes[i] ^ mask) << shift;
            }
        }
    }

    /// <summary>Bytes of an output lie as its words want them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackBytes(QuantizedMatrix part, int firstOutput, int count, uint* words, QuantizedPanels target)
    {
        var panelWidth = target.PanelWidth;
        var byteMask = part.ByteMask ^ SignMask(target);
        var mask = (uint)byteMask * 0x0101_0101u;
        for (var i = 0; i < count; i++)
        {
            var bytes = part.BytesOf(firstOutput + i);
            var whole = bytes.Length / sizeof(uint);
            for (var word = 0; word < whole; word++)
            {
                words[(long)word * panelWidth + i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(word * sizeof(uint))..]) ^ mask;
            }

            for (var k = whole * sizeof(uint); k < bytes.Length; k++)
            {
                words[(long)whole * panelWidth + i] |= (uint)(bytes[k] ^ byteMask) << (8 * (k % sizeof(uint)));
            }
        }
    }

    /// <summary>What makes a code a signed byte, where kernels want that.</summary>
    private static int SignMask(QuantizedPanels target) =>
        target is { Kind: QuantizedKind.Grouped, Bits: 8, Segments: not null } ? 0x80 : 0;

    private static void PackTable(QuantizedMatrix part, int output, byte* table, int lane, QuantizedPanels target)
    {
        switch (part)
        {
            case Fp8Matrix fp8:
                ((float*)table)[lane] = fp8.Scale(output);
                break;
            case GroupedMatrix grouped when target.IsSymmetric:
                for (var group = 0; group < grouped.Groups; group++)
                {
                    PackScale(table, group * target.PanelWidth + lane, target.TableDType, grouped.Scale(group, output));
                }

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
            case Mxfp4Matrix mxfp4:
                for (var group = 0; group < mxfp4.Groups; group++)
                {
                    table[(long)group * target.PanelWidth + lane] = mxfp4.Exponent(group, output);
                }

                break;
            default:
                throw new NotSupportedException($"quantized layer '{part.Name}' is a {part.GetType().Name}, which has no kernel on cpu");
        }
    }

    /// <summary>Writes where an output's scales are, and the scales of a block that its first output opens.</summary>
    /// <param name="blocks">Blocks that the panel has so far.</param>
    private static void PackBlock(
        BlockFp8Matrix part, int output, bool isFirst, uint* table, int lane, int panelWidth, ref int blocks)
    {
        var block = part.BlockOf(output);
        if (isFirst || block != part.BlockOf(output - 1))
        {
            for (var group = 0; group < part.Groups; group++)
            {
                ((float*)table)[panelWidth + (long)blocks * part.Groups + group] = part.Scale(block, group);
            }

            blocks++;
        }

        table[lane] = (uint)((blocks - 1) * part.Groups);
    }

    private static void PackScale(byte* table, int place, DType dtype, float scale)
    {
        switch (dtype)
        {
            case DType.F16:
                ((Half*)table)[place] = (Half)scale;
                break;
            case DType.BF16:
                ((ushort*)table)[place] = (ushort)(BitConverter.SingleToUInt32Bits(scale) >> 16);
                break;
            default:
                ((float*)table)[place] = scale;
                break;
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
