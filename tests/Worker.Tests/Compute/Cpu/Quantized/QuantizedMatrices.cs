using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Tests.Compute.Cpu.Quantized;

/// <summary>Random quantized matrices, and what any such matrix means in floats.</summary>
internal static class QuantizedMatrices
{
    /// <summary>Kinds that <see cref="Random"/> makes.</summary>
    public static readonly string[] Kinds =
        ["fp8", "fp8 blocks", "fp8 blocks, cut", "4 bits", "4 bits, act-order", "4 bits, bf16 scales", "4 bits, f32 scales",
            "4 bits, groups of 64", "4 bits, symmetric", "4 bits, symmetric, bf16 scales", "4 bits, symmetric, f32 scales", "8 bits",
            "8 bits, symmetric", "8 bits, groups of 64", "8 bits, act-order", "lookup", "lookup, bf16", "mxfp4", "mxfp4, cut",
            "4 bits, superblocks", "4 bits, superblocks, cut", "5 bits, superblocks", "5 bits, superblocks, cut", "6 bits, superblocks",
            "6 bits, superblocks, cut"];

    private static readonly float[] E2M1 = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6];

    /// <summary>The weights <c>[out, in]</c>, decoded by the formulas and not by the code under test.</summary>
    public static float[] Dequantize(QuantizedMatrix matrix)
    {
        var weights = new float[matrix.OutFeatures * matrix.InFeatures];
        var codes = new byte[matrix.OutFeatures];
        for (var k = 0; k < matrix.InFeatures; k++)
        {
            matrix.ReadCodes(k, 0, codes);
            for (var n = 0; n < codes.Length; n++)
            {
                weights[n * matrix.InFeatures + k] = matrix switch
                {
                    Fp8Matrix fp8 => Fp8Oracle.E4M3.Value(codes[n]) * fp8.Scale(n),
                    GroupedMatrix grouped => (codes[n] - grouped.Zero(grouped.GroupOf[k], n)) * grouped.Scale(grouped.GroupOf[k], n),
                    BlockFp8Matrix blocks => Fp8Oracle.E4M3.Value(codes[n]) * blocks.Scale(blocks.BlockOf(n), blocks.GroupOf[k]),
                    LookupMatrix lookup => lookup.Entry(n, codes[n]),
                    Mxfp4Matrix mxfp4 => (codes[n] < 8 ? E2M1[codes[n]] : -E2M1[codes[n] - 8])
                        * MathF.ScaleB(1, mxfp4.Exponent(mxfp4.GroupOf[k], n) - 127),
                    SuperblockMatrix blocks =>
                        (blocks.Scale(blocks.GroupOf[k], n) * codes[n]) - blocks.Minimum(blocks.GroupOf[k], n),
                    _ => throw new NotSupportedException(matrix.GetType().Name),
                };
            }
        }

        return weights;
    }

    /// <summary>What inputs <c>[rows, in]</c> count as: codes that are integers are multiplied by inputs that are integers of 16 bits, too,
    /// those of a group scaled alike, up to 256 of them.</summary>
    public static float[] InputsOf(QuantizedMatrix matrix, float[] x)
    {
        if (matrix is not (GroupedMatrix or Mxfp4Matrix or SuperblockMatrix))
        {
            return x;
        }

        var rounded = new float[x.Length];
        var groups = Enumerable.Range(0, matrix.InFeatures).GroupBy(k => matrix.GroupOf.IsEmpty ? 0 : matrix.GroupOf[k]);
        foreach (var inputs in groups.SelectMany(group => group.Chunk(256)))
        {
            for (var row = 0; row < x.Length; row += matrix.InFeatures)
            {
                var scale = inputs.Max(k => MathF.Abs(x[row + k])) / 32767;
                foreach (var k in inputs)
                {
                    rounded[row + k] = scale == 0 ? 0 : MathF.Round(x[row + k] * (1 / scale)) * scale;
                }
            }
        }

        return rounded;
    }

    public static QuantizedMatrix Random(string kind, Random random, int outFeatures, int inFeatures)
    {
        var dtype = kind.Contains("bf16") ? DType.BF16 : kind.Contains("f32") ? DType.F32 : DType.F16;
        if (kind.StartsWith("fp8", StringComparison.Ordinal))
        {
            var codes = E4M3(random, outFeatures, inFeatures);
            return kind == "fp8"
                ? new Fp8Matrix("fp8", codes, [.. HostTensors.Random(random, outFeatures, 0.01f)])
                : Blocks(codes, random, kind.Contains("cut") ? (7, 11, 4) : (6, 16, 0));
        }

        if (kind.StartsWith("mxfp4", StringComparison.Ordinal))
        {
            return new Mxfp4(random, outFeatures, inFeatures, firstInput: kind.Contains("cut") ? 13 : 0);
        }

        if (kind.Contains("superblocks"))
        {
            return new RandomSuperblocks(random, kind[0] - '0', outFeatures, inFeatures, firstInput: kind.Contains("cut") ? 77 : 0);
        }

        if (kind.StartsWith("lookup", StringComparison.Ordinal))
        {
            return new Lookup(
                dtype, Codes(random, 16, outFeatures * inFeatures), outFeatures, inFeatures, Rounded(random, dtype, outFeatures * 16, 1));
        }

        // Group sizes that divide nothing, as any assignment of inputs to groups must work; and one of whole words, as checkpoints have.
        var bits = kind[0] - '0';
        var size = kind.Contains("groups of 64") ? 64 : 5;
        var groups = Math.Max(1, inFeatures / size);
        var groupOf = Enumerable.Range(0, inFeatures).Select(k => Math.Min(k / size, groups - 1)).ToArray();
        if (kind.Contains("act-order"))
        {
            random.Shuffle(groupOf);
        }

        return new Grouped(
            bits,
            dtype,
            Codes(random, 1 << bits, outFeatures * inFeatures),
            outFeatures,
            inFeatures,
            [.. groupOf],
            Rounded(random, dtype, groups * outFeatures, 1f / (1 << bits)),
            [.. Enumerable.Range(0, groups * outFeatures).Select(
                _ => kind.Contains("symmetric") ? 1 << (bits - 1) : random.Next((1 << bits) + 1))]);
    }

    /// <summary>Integers of 8 bits with a scale and a zero for each output, and inputs that are rounded as well.</summary>
    public static GroupedMatrix Integers(Random random, DType dtype, int outFeatures, int inFeatures, IntegerInputs inputs) =>
        new Grouped(
            8, dtype, Codes(random, 256, outFeatures * inFeatures), outFeatures, inFeatures, [.. new int[inFeatures]],
            Rounded(random, dtype, outFeatures, 1f / 256), [.. Enumerable.Range(0, outFeatures).Select(_ => random.Next(257))])
        {
            Inputs = inputs,
        };

    private static HostTensor E4M3(Random random, int outFeatures, int inFeatures)
    {
        var codes = new byte[outFeatures * inFeatures];
        random.NextBytes(codes);
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = (codes[i] & 0x7F) == 0x7F ? (byte)0 : codes[i];
        }

        return HostTensors.Raw("codes", DType.F8E4M3, codes, outFeatures, inFeatures);
    }

    /// <param name="size">Outputs and inputs of a block, and how many of the first are cut away.</param>
    private static BlockFp8Matrix Blocks(HostTensor codes, Random random, (int Outputs, int Inputs, int Cut) size)
    {
        var blockOf = Enumerable.Range(size.Cut, codes.Rows).Select(n => n / size.Outputs).ToArray();
        var groupOf = Enumerable.Range(size.Cut, codes.RowLength).Select(k => k / size.Inputs).ToArray();
        return new BlockFp8Matrix(
            "blocks", codes, [.. blockOf], [.. groupOf], [.. HostTensors.Random(random, (blockOf[^1] + 1) * (groupOf[^1] + 1), 0.01f)]);
    }

    private static byte[] Codes(Random random, int end, int count) => [.. Enumerable.Range(0, count).Select(_ => (byte)random.Next(end))];

    private static float[] Rounded(Random random, DType dtype, int count, float scale) =>
        Array.ConvertAll(HostTensors.Random(random, count, scale), value => HostTensors.Rounded(dtype, value));

    private sealed class Grouped(
        int bits, DType dtype, byte[] codes, int outFeatures, int inFeatures, ImmutableArray<int> groupOf, float[] scales, int[] zeros)
        : GroupedMatrix("grouped", outFeatures, inFeatures, groupOf)
    {
        public override int Bits => bits;

        public override int Groups => scales.Length / OutFeatures;

        public override DType ScaleDType => dtype;

        public override float Scale(int group, int output) => scales[group * OutFeatures + output];

        public override int Zero(int group, int output) => zeros[group * OutFeatures + output];

        public override void ReadCodes(int k, int firstOutput, Span<byte> destination) =>
            codes.AsSpan(k * OutFeatures + firstOutput, destination.Length).CopyTo(destination);
    }

    private sealed class Mxfp4 : Mxfp4Matrix
    {
        private readonly byte[] _codes;
        private readonly byte[] _exponents;

        public Mxfp4(Random random, int outFeatures, int inFeatures, int firstInput)
            : base("mxfp4", outFeatures, inFeatures, firstInput)
        {
            _codes = Codes(random, 16, outFeatures * inFeatures);
            _exponents = [.. Codes(random, 8, Groups * outFeatures).Select(code => (byte)(code + 118))];
        }

        public override byte Exponent(int group, int output) => _exponents[group * OutFeatures + output];

        public override void ReadCodes(int k, int firstOutput, Span<byte> destination) =>
            _codes.AsSpan(k * OutFeatures + firstOutput, destination.Length).CopyTo(destination);
    }

    private sealed class Lookup(DType dtype, byte[] codes, int outFeatures, int inFeatures, float[] table)
        : LookupMatrix("lookup", outFeatures, inFeatures)
    {
        public override DType TableDType => dtype;

        public override float Entry(int output, int code) => table[output * Entries + code];

        public override void ReadCodes(int k, int firstOutput, Span<byte> destination) =>
            codes.AsSpan(k * OutFeatures + firstOutput, destination.Length).CopyTo(destination);
    }
}
