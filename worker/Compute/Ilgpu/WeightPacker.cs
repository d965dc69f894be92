using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>Rearranges a checkpoint's weights into what <see cref="Linear"/> reads, and uploads them. Called by
/// <see cref="IlgpuBackend"/> while weights load.</summary>
/// <remarks>All processors fill one piece of staging memory while the device reads the other: never more on the host than twice
/// <see cref="StagingBytes"/>, or two panels.</remarks>
internal sealed class WeightPacker(IKernelLauncher launcher) : IDisposable
{
    private const int PieceBytes = 16;
    private const int StagingBytes = 32 << 20;

    private readonly StagingMemory?[] _staging = new StagingMemory?[2];
    private int _turn;

    /// <summary>Plain weights, in their own type; in F32 where the parts' types differ.</summary>
    public void Write(IReadOnlyList<HostTensor> parts, LinearSection section)
    {
        var size = section.Format.DType.Size();
        var inFeatures = parts[0].RowLength;
        WritePanels(section, (panel, bytes) =>
        {
            var row = new float[inFeatures];
            foreach (var (part, output, count, lane) in OutputsOf(parts, part => part.Rows, panel))
            {
                for (var i = 0; i < count; i++)
                {
                    var source = part.Row(output + i);
                    if (part.DType != section.Format.DType)
                    {
                        WeightReader.Widen(part.DType, source, row);
                        source = MemoryMarshal.AsBytes(row.AsSpan());
                    }

                    for (var at = 0; at < inFeatures * size; at += PieceBytes)
                    {
                        var length = Math.Min(PieceBytes, inFeatures * size - at);
                        source.Slice(at, length).CopyTo(bytes[((at / PieceBytes * Linear.Panel + lane + i) * PieceBytes)..]);
                    }
                }
            }
        });
    }

    /// <summary>Codes as they are, and what decodes them.</summary>
    public void Write(ImmutableArray<QuantizedMatrix> parts, LinearSection section)
    {
        if (section.Format.Kind == WeightKind.Superblock)
        {
            WriteSuperblocks(parts, section);
            return;
        }

        var bits = section.Format.Bits;
        WritePanels(section, (panel, bytes) =>
        {
            Span<byte> codes = stackalloc byte[Linear.Panel];
            foreach (var (part, output, count, lane) in OutputsOf(parts, part => part.OutFeatures, panel))
            {
                if (!part.BytesOf(output).IsEmpty)
                {
                    WriteBytes(part, output, count, bytes[(lane * PieceBytes)..]);
                    continue;
                }

                for (var k = 0; k < part.InFeatures; k++)
                {
                    part.ReadCodes(k, output, codes[..count]);
                    var bit = k * bits;
                    var at = (bit / 128 * Linear.Panel + lane) * PieceBytes + bit % 128 / 8;
                    for (var i = 0; i < count; i++)
                    {
                        bytes[at + i * PieceBytes] |= (byte)(codes[i] << (bit % 8));
                    }
                }
            }
        });
        launcher.Write(section.Tables, MemoryMarshal.AsBytes(Tables(parts, section).AsSpan()));
        if (section.Format.IsGrouped)
        {
            var groups = new int[section.Pieces * section.Format.Elements];
            parts[0].GroupOf.CopyTo(groups);
            launcher.Write(section.Groups, MemoryMarshal.AsBytes(groups.AsSpan()));
        }
    }

    /// <summary>Bytes of an output lie as its pieces want them.</summary>
    private static void WriteBytes(QuantizedMatrix part, int firstOutput, int count, Span<byte> panel)
    {
        for (var i = 0; i < count; i++)
        {
            var bytes = part.BytesOf(firstOutput + i);
            for (var k = 0; k < bytes.Length; k++)
            {
                panel[(k / PieceBytes * Linear.Panel + i) * PieceBytes + k % PieceBytes] = (byte)(bytes[k] ^ part.ByteMask);
            }
        }
    }

    public void WriteBiases(IEnumerable<HostTensor> biases, LinearSection section)
    {
        var values = new float[section.Padded];
        biases.SelectMany(WeightReader.ReadAll).ToArray().CopyTo(values, 0);
        launcher.Write(section.Bias, MemoryMarshal.AsBytes(values.AsSpan()));
    }

    /// <summary>Rows as they are.</summary>
    public void WriteRows(HostTensor source, MemoryRange range)
    {
        var rowBytes = source.RowLength * source.DType.Size();
        WriteParts(source.Rows, rowBytes, range, (row, bytes) => source.Row(row).CopyTo(bytes));
    }

    public void Dispose() => Array.ForEach(_staging, staging => staging?.Dispose());

    /// <summary>Words of tables that a section of these parts has.</summary>
    public static long TableWords(ImmutableArray<QuantizedMatrix> parts, int padded)
    {
        long groups = parts[0].Groups;
        return parts[0].Kind switch
        {
            QuantizedKind.BlockFp8 => padded + (groups * parts.Sum(part => ((BlockFp8Matrix)part).Blocks)),
            QuantizedKind.Grouped => groups * padded * (parts[0].TableDType == DType.F32 ? 2 : 1),
            QuantizedKind.Lookup => (long)padded * LookupMatrix.Entries / (parts[0].TableDType == DType.F32 ? 1 : 2),
            QuantizedKind.Mxfp4 => groups * padded / 4,
            QuantizedKind.Superblock => SuperblockTables.Rows((SuperblockMatrix)parts[0]) * padded,
            _ => padded,
        };
    }

    private static uint[] Tables(ImmutableArray<QuantizedMatrix> parts, LinearSection section)
    {
        var padded = section.Padded;
        var words = new uint[TableWords(parts, padded)];
        var (first, place) = (0, padded);
        foreach (var part in parts)
        {
            if (part is BlockFp8Matrix blocks)
            {
                WriteBlocks(blocks, words.AsSpan(first), words.AsSpan(place), place);
                place += blocks.Blocks * blocks.Groups;
            }

            for (var output = 0; output < part.OutFeatures; output++)
            {
                WriteTable(part, output, words, first + output, padded);
            }

            first += part.OutFeatures;
        }

        return words;
    }

    /// <summary>Where the scales of each output's block are, and the scales.</summary>
    /// <param name="place">Where <paramref name="scales"/> begin.</param>
    private static void WriteBlocks(BlockFp8Matrix part, Span<uint> places, Span<uint> scales, int place)
    {
        for (var output = 0; output < part.OutFeatures; output++)
        {
            places[output] = (uint)(place + part.BlockOf(output) * part.Groups);
        }

        for (var i = 0; i < part.Blocks * part.Groups; i++)
        {
            scales[i] = BitConverter.SingleToUInt32Bits(part.Scale(i / part.Groups, i % part.Groups));
        }
    }

    private static void WriteTable(QuantizedMatrix part, int output, uint[] words, int column, int padded)
    {
        switch (part)
        {
            case Fp8Matrix fp8:
                words[column] = BitConverter.SingleToUInt32Bits(fp8.Scale(output));
                break;
            case GroupedMatrix { ScaleDType: DType.F32 } grouped:
                for (var group = 0; group < grouped.Groups; group++)
                {
                    var at = 2L * ((long)group * padded + column);
                    words[at] = BitConverter.SingleToUInt32Bits(grouped.Scale(group, output));
                    words[at + 1] = (uint)grouped.Zero(group, output);
                }

                break;
            case GroupedMatrix grouped:
                for (var group = 0; group < grouped.Groups; group++)
                {
                    words[(long)group * padded + column] =
                        HalfBits(grouped.Scale(group, output), grouped.ScaleDType) | ((uint)grouped.Zero(group, output) << 16);
                }

                break;
            case LookupMatrix { TableDType: DType.F32 } lookup:
                for (var entry = 0; entry < LookupMatrix.Entries; entry++)
                {
                    words[(long)entry * padded + column] = BitConverter.SingleToUInt32Bits(lookup.Entry(output, entry));
                }

                break;
            case LookupMatrix lookup:
                for (var entry = 0; entry < LookupMatrix.Entries; entry++)
                {
                    words[(long)(entry / 2) * padded + column] |=
                        HalfBits(lookup.Entry(output, entry), lookup.TableDType) << (entry % 2 * 16);
                }

                break;
            case Mxfp4Matrix mxfp4:
                for (var group = 0; group < mxfp4.Groups; group++)
                {
                    words[(long)group * (padded / 4) + column / 4] |= (uint)mxfp4.Exponent(group, output) << (column % 4 * 8);
                }

                break;
            default:
                break;
        }
    }

    private static uint HalfBits(float value, DType dtype) =>
        dtype == DType.F16 ? BitConverter.HalfToUInt16Bits((Half)value) : BitConverter.SingleToUInt32Bits(value) >> 16;

    /// <summary>The outputs of a panel, part by part: the first of the part, how many, and the lane of the first.</summary>
    private static IEnumerable<(T Part, int Output, int Count, int Lane)> OutputsOf<T>(
        IReadOnlyList<T> parts, Func<T, int> outputsOf, int panel)
    {
        var first = panel * Linear.Panel;
        var partStart = 0;
        foreach (var part in parts)
        {
            var outputs = outputsOf(part);
            var from = Math.Max(first, partStart);
            var to = Math.Min(first + Linear.Panel, partStart + outputs);
            if (from < to)
            {
                yield return (part, from - partStart, to - from, from - first);
            }

            partStart += outputs;
        }
    }

    private void WritePanels(LinearSection section, WritePart pack) => WriteParts(
        section.Padded / Linear.Panel, checked(section.Pieces * Linear.Panel * PieceBytes), section.Codes, (panel, bytes) =>
        {
            bytes.Clear();
            pack(panel, bytes);
            if (section.IsOnWarps)
            {
                WarpKernels.Arrange(section.Format, bytes);
            }
        });

    /// <summary>Fills staging memory in parallel with as many parts as it holds, and uploads them.</summary>
    private unsafe void WriteParts(int parts, int partBytes, MemoryRange range, WritePart write)
    {
        if (launcher.IsDry || parts == 0)
        {
            return;
        }

        var atOnce = Math.Clamp(StagingBytes / partBytes, 1, parts);
        for (var begin = 0; begin < parts; begin += atOnce)
        {
            var count = Math.Min(atOnce, parts - begin);
            var staging = NextStaging(checked(atOnce * partBytes));
            var address = staging.Take();
            try
            {
                Parallel.For(
                    0, count, i => write(begin + i, new Span<byte>((byte*)address + (long)i * partBytes, partBytes)));
            }
            catch (AggregateException exceptions)
            {
                ExceptionDispatchInfo.Throw(exceptions.InnerExceptions[0]);
            }

            launcher.Write(range.Slice((long)begin * partBytes, (long)count * partBytes), staging, count * partBytes);
        }
    }

    /// <summary>The piece that the device was given longer ago.</summary>
    private StagingMemory NextStaging(int bytes)
    {
        _turn ^= 1;
        if (_staging[_turn] is not { } staging || staging.Bytes < bytes)
        {
            _staging[_turn]?.Dispose();
            _staging[_turn] = null;
            _staging[_turn] = staging = launcher.Stage(bytes);
        }

        return staging;
    }

    /// <summary>The low four bits of codes as pieces; see <see cref="SuperblockTables"/> for the rest.</summary>
    private void WriteSuperblocks(ImmutableArray<QuantizedMatrix> parts, LinearSection section)
    {
        WritePanels(section, (panel, bytes) =>
        {
            var codes = new byte[section.Pieces * section.Format.Elements];
            foreach (var (part, output, count, lane) in OutputsOf(parts, part => part.OutFeatures, panel))
            {
                for (var i = 0; i < count; i++)
                {
                    ((SuperblockMatrix)part).ReadRow(output + i, codes.AsSpan(0, part.InFeatures));
                    for (var k = 0; k < part.InFeatures; k++)
                    {
                        var at = (k / section.Format.Elements * Linear.Panel + lane + i) * PieceBytes + k % section.Format.Elements / 2;
                        bytes[at] |= (byte)((codes[k] & 15) << (k % 2 * 4));
                    }
                }
            }
        });
        var tables = new SuperblockTables(parts, section.Padded);
        launcher.Write(section.Tables, MemoryMarshal.AsBytes(tables.Words.AsSpan()));
        launcher.Write(section.Groups, MemoryMarshal.AsBytes(tables.Places(section.Pieces * section.Format.Elements).AsSpan()));
    }

    private delegate void WritePart(int part, Span<byte> bytes);
}
