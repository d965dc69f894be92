using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Tests.Compute;

namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>Integers of compressed-tensors packed here by definition, at sizes that fill no word, whole and cut anywhere.</summary>
public sealed class CompressedLayoutTests
{
    private const int In = 45;
    private const int Out = 19;

    private static readonly (Slice Outputs, Slice Inputs)[] Cuts =
        [(Out, In), (new Slice(Out, 3, 10), In), (Out, new Slice(In, 13, 21)), (new Slice(Out, 9, 10), new Slice(In, 44, 1))];

    private readonly Random _random = new(17);

    /// <summary>Format, bits, strategy, group size, symmetric, act-order.</summary>
    public static TheoryData<string, int, string, int, bool, bool> Variants => new()
    {
        { "pack-quantized", 4, "group", 9, true, false },
        { "pack-quantized", 4, "group", 15, false, false },
        { "pack-quantized", 4, "group", 9, false, true },
        { "pack-quantized", 4, "channel", 0, true, false },
        { "pack-quantized", 4, "tensor", 0, true, false },
        { "pack-quantized", 8, "channel", 0, false, false },
        { "pack-quantized", 8, "group", 5, true, true },
        { "int-quantized", 8, "channel", 0, true, false },
        { "int-quantized", 8, "channel", 0, false, false },
        { "int-quantized", 8, "tensor", 0, true, false },
        { "int-quantized", 8, "tensor", 0, false, false },
        { "naive-quantized", 8, "group", 15, false, true },
    };

    [Theory, MemberData(nameof(Variants))]
    public void Integers_zeros_and_groups_are_read_where_they_are(
        string format, int bits, string strategy, int groupSize, bool isSymmetric, bool actOrder)
    {
        var size = strategy == "group" ? groupSize : In;
        var groups = In / size;
        var groupOf = Enumerable.Range(0, In).Select(k => k / size).ToArray();
        if (actOrder)
        {
            _random.Shuffle(groupOf);
        }

        var half = 1 << (bits - 1);
        sbyte[,] weights = Signed(Out, In, half), zeros = Signed(Out, groups, isSymmetric ? 0 : half);
        var scales = Array.ConvertAll(HostTensors.Random(_random, Out * groups), value => HostTensors.Rounded(DType.BF16, value));
        var isOne = strategy == "tensor";
        List<HostTensor> tensors =
        [
            isOne
                ? HostTensors.Of("x.weight_scale", DType.BF16, scales[..1], 1)
                : HostTensors.Of("x.weight_scale", DType.BF16, scales, Out, groups),
            .. format == "pack-quantized" ? Packed(weights, zeros, bits, isSymmetric) : Plain(weights, zeros, isSymmetric, isOne),
        ];
        if (actOrder)
        {
            tensors.Add(HostTensors.Raw("x.weight_g_idx", DType.I32, MemoryMarshal.AsBytes<int>(groupOf), In));
        }

        var scheme = QuantizedLayouts.Scheme(
            $$"""
            {"quant_method":"compressed-tensors","format":"{{format}}","config_groups":{"g":{"targets":["Linear"],"weights":{"num_bits":{{bits}},
            "type":"int","strategy":"{{strategy}}","group_size":{{(groupSize == 0 ? "null" : groupSize)}},
            "symmetric":{{(isSymmetric ? "true" : "false")}} } } } }
            """);
        Assert.All(Cuts, cut => QuantizedLayouts.AssertWeights(
            QuantizedLayouts.Read(scheme, new WeightPart("x", cut.Outputs), cut.Inputs, [.. tensors]),
            (n, k) =>
            {
                int output = cut.Outputs.First + n, input = cut.Inputs.First + k, group = groupOf[input];
                var zero = isOne ? zeros[0, 0] : zeros[output, group];
                return (weights[output, input] - zero) * scales[isOne ? 0 : output * groups + group];
            }));
    }

    [Fact]
    public void An_order_that_nobody_chose_is_none()
    {
        var weights = Signed(Out, In, 8);
        var scheme = QuantizedLayouts.Scheme(
            """{"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"targets":["Linear"],"weights":{"num_bits":4,"type":"int","group_size":9}}}}""");
        var scales = HostTensors.Random(_random, Out * 5);
        var none = new int[In];
        Array.Fill(none, -1);

        var matrix = QuantizedLayouts.Read(
            scheme,
            new WeightPart("x", Out),
            In,
            [
                .. Packed(weights, new sbyte[Out, 5], 4, isSymmetric: true),
                HostTensors.Of("x.weight_scale", DType.F32, scales, Out, 5),
                HostTensors.Raw("x.weight_g_idx", DType.I32, MemoryMarshal.AsBytes<int>(none), In),
            ]);

        QuantizedLayouts.AssertWeights(matrix, (n, k) => weights[n, k] * scales[n * 5 + k / 9]);
    }

    [Fact]
    public void A_shape_that_is_not_the_layers_is_refused()
    {
        var scheme = QuantizedLayouts.Scheme(
            """{"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"targets":["Linear"],"weights":{"num_bits":4,"type":"int","strategy":"channel"}}}}""");

        // As many words as 45 inputs have.
        var error = Assert.Throws<CheckpointFormatException>(() => QuantizedLayouts.Read(
            scheme,
            new WeightPart("x", Out),
            46,
            [
                .. Packed(Signed(Out, In, 8), new sbyte[Out, 1], 4, isSymmetric: true),
                HostTensors.Of("x.weight_scale", DType.F32, new float[Out], Out, 1),
            ]));

        Assert.Contains("tensor 'x.weight_shape' is [19, 45]; config.json calls for [19, 46]", error.Message);
    }

    private static List<HostTensor> Packed(sbyte[,] weights, sbyte[,] zeros, int bits, bool isSymmetric)
    {
        int perWord = 32 / bits, half = 1 << (bits - 1), groups = zeros.GetLength(1);
        var words = new uint[Out, (In + perWord - 1) / perWord];
        var zeroWords = new uint[(Out + perWord - 1) / perWord, groups];
        QuantizedLayouts.ForEach(
            Out, In, (n, k) => words[n, k / perWord] |= (uint)(weights[n, k] + half) << (bits * (k % perWord)));
        QuantizedLayouts.ForEach(
            Out, groups, (n, g) => zeroWords[n / perWord, g] |= (uint)(zeros[n, g] + half) << (bits * (n % perWord)));
        List<HostTensor> tensors =
        [
            QuantizedLayouts.Words("x.weight_packed", words),
            HostTensors.Raw("x.weight_shape", DType.I64, MemoryMarshal.AsBytes<long>(new long[] { Out, In }), 2),
        ];
        if (!isSymmetric)
        {
            tensors.Add(QuantizedLayouts.Words("x.weight_zero_point", zeroWords));
        }

        return tensors;
    }

    private static List<HostTensor> Plain(sbyte[,] weights, sbyte[,] zeros, bool isSymmetric, bool isOne)
    {
        byte[] Bytes(sbyte[,] values) => [.. values.Cast<sbyte>().Select(value => (byte)value)];
        List<HostTensor> tensors = [HostTensors.Raw("x.weight", DType.I8, Bytes(weights), Out, In)];
        if (!isSymmetric)
        {
            tensors.Add(isOne
                ? HostTensors.Raw("x.weight_zero_point", DType.I8, Bytes(zeros)[..1], 1)
                : HostTensors.Raw("x.weight_zero_point", DType.I8, Bytes(zeros), Out, zeros.GetLength(1)));
        }

        return tensors;
    }

    private sbyte[,] Signed(int rows, int columns, int half)
    {
        var values = new sbyte[rows, columns];
        QuantizedLayouts.ForEach(rows, columns, (row, column) => values[row, column] = (sbyte)_random.Next(-half, half));
        return values;
    }
}
