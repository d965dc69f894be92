using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Quantization;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>Codes packed here by each format's definition come out of it again, at the right place.</summary>
public sealed class QuantizedLayoutTests
{
    private const int In = 48;
    private const int Out = 24;

    private readonly Random _random = new(9);

    /// <summary>Bits, group size, checkpoint format, act-order.</summary>
    public static TheoryData<int, int, string, bool> GptqVariants => new()
    {
        { 4, 16, "gptq", false },
        { 4, 16, "gptq", true },
        { 4, -1, "gptq", false },
        { 4, 24, "gptq_v2", true },
        { 8, 16, "gptq", false },
        { 8, 12, "gptq", true },
        { 8, -1, "gptq_v2", false },
    };

    [Theory, MemberData(nameof(GptqVariants))]
    public void Gptq_codes_zeros_and_groups_are_read_where_they_are(int bits, int groupSize, string format, bool actOrder)
    {
        var size = groupSize < 0 ? In : groupSize;
        var groups = In / size;
        var groupOf = Enumerable.Range(0, In).Select(k => k / size).ToArray();
        if (actOrder)
        {
            _random.Shuffle(groupOf);
        }

        int[,] codes = Codes(In, Out, 1 << bits), zeros = Codes(groups, Out, 1 << bits);
        var scales = Scales(groups * Out);
        var perWord = 32 / bits;
        var qweight = new uint[In / perWord, Out];
        var qzeros = new uint[groups, Out / perWord];
        QuantizedLayouts.ForEach(In, Out, (k, n) => qweight[k / perWord, n] |= (uint)codes[k, n] << (bits * (k % perWord)));
        QuantizedLayouts.ForEach(groups, Out, (g, n) => qzeros[g, n / perWord] |= (uint)zeros[g, n] << (bits * (n % perWord)));
        var scheme = QuantizedLayouts.Scheme(
            $$"""{"quant_method":"gptq","bits":{{bits}},"group_size":{{groupSize}},"desc_act":{{(actOrder ? "true" : "false")}},"checkpoint_format":"{{format}}"}""");

        var matrix = Read(
            scheme,
            QuantizedLayouts.Words("x.qweight", qweight),
            QuantizedLayouts.Words("x.qzeros", qzeros),
            HostTensors.Of("x.scales", DType.F16, scales, groups, Out),
            HostTensors.Raw("x.g_idx", DType.I32, MemoryMarshal.AsBytes<int>(groupOf), In));

        var offset = format == "gptq" ? 1 : 0;
        QuantizedLayouts.AssertWeights(matrix, (n, k) => (codes[k, n] - (zeros[groupOf[k], n] + offset)) * scales[groupOf[k] * Out + n]);
    }

    [Theory, InlineData(16), InlineData(-1)]
    public void Awq_columns_are_read_in_their_interleaved_order(int groupSize)
    {
        int[] order = [0, 2, 4, 6, 1, 3, 5, 7];
        var size = groupSize < 0 ? In : groupSize;
        var groups = In / size;
        int[,] codes = Codes(In, Out, 16), zeros = Codes(groups, Out, 16);
        var scales = Scales(groups * Out);
        var qweight = new uint[In, Out / 8];
        var qzeros = new uint[groups, Out / 8];
        for (var place = 0; place < 8; place++)
        {
            QuantizedLayouts.ForEach(In, Out / 8, (k, word) => qweight[k, word] |= (uint)codes[k, 8 * word + order[place]] << (4 * place));
            QuantizedLayouts.ForEach(
                groups, Out / 8, (g, word) => qzeros[g, word] |= (uint)zeros[g, 8 * word + order[place]] << (4 * place));
        }

        var matrix = Read(
            QuantizedLayouts.Scheme($$"""{"quant_method":"awq","bits":4,"group_size":{{groupSize}},"zero_point":true,"version":"GEMM"}"""),
            QuantizedLayouts.Words("x.qweight", qweight),
            QuantizedLayouts.Words("x.qzeros", qzeros),
            HostTensors.Of("x.scales", DType.F16, scales, groups, Out));

        QuantizedLayouts.AssertWeights(matrix, (n, k) => (codes[k, n] - zeros[k / size, n]) * scales[k / size * Out + n]);
    }

    [Fact]
    public void Squeezellm_codes_index_the_table_of_their_output()
    {
        var codes = Codes(In, Out, 16);
        var table = Scales(Out * 16);
        var qweight = new uint[In / 8, Out];
        QuantizedLayouts.ForEach(In, Out, (k, n) => qweight[k / 8, n] |= (uint)codes[k, n] << (4 * (k % 8)));

        var matrix = Read(
            QuantizedLayouts.Scheme("""{"quant_method":"squeezellm","wbits":4}"""), QuantizedLayouts.Words("x.qweight", qweight),
            HostTensors.Of("x.lookup_table", DType.F16, table, Out, 16));

        QuantizedLayouts.AssertWeights(matrix, (n, k) => table[n * 16 + codes[k, n]]);
    }

    [Theory]
    [InlineData(new int[0])]
    [InlineData(new[] { 1 })]
    [InlineData(new[] { Out })]
    [InlineData(new[] { Out, 1 })]
    public void Fp8_scales_are_for_the_tensor_or_for_each_output(int[] shape)
    {
        var codes = new byte[Out * In];
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = (byte)_random.Next(0x7F);
        }

        var scales = Scales(shape.Aggregate(1, (product, length) => product * length));
        var matrix = Read(
            QuantizedLayouts.Scheme("""{"quant_method":"fp8","activation_scheme":"dynamic"}"""),
            HostTensors.Raw("x.weight", DType.F8E4M3, codes, Out, In),
            HostTensors.Of("x.weight_scale", DType.F32, scales, shape));

        QuantizedLayouts.AssertWeights(matrix, (n, k) => Fp8Oracle.E4M3.Value(codes[n * In + k]) * scales[scales.Length == 1 ? 0 : n]);
    }

    [Fact]
    public void The_output_matrix_may_be_quantized_or_not()
    {
        var weights = new MemoryWeights(
            HostTensors.Raw("lm_head.weight", DType.F8E4M3, new byte[Out * In], Out, In),
            HostTensors.Of("lm_head.weight_scale", DType.F32, [2f]));
        var loader = new WeightLoader(weights, new RecordingBackend(), progress: null)
        {
            Quantization = QuantizedLayouts.Scheme("""{"quant_method":"fp8","activation_scheme":"dynamic"}""")
        };

        Assert.Equal(Out * In, loader.Linear("lm_head", Out, In, bias: false).ResidentBytes);
        loader.RefuseUnused(_ => false);

        var plain = new MemoryWeights(HostTensors.Of("lm_head.weight", DType.BF16, new float[Out * In], Out, In));
        loader = new WeightLoader(plain, new RecordingBackend(), progress: null) { Quantization = loader.Quantization };

        Assert.Equal(2 * Out * In, loader.Linear("lm_head", Out, In, bias: false).ResidentBytes);
    }

    private static QuantizedMatrix Read(QuantizationScheme scheme, params HostTensor[] tensors) =>
        QuantizedLayouts.Read(scheme, new WeightPart("x", Out), In, tensors);

    private int[,] Codes(int rows, int columns, int end)
    {
        var codes = new int[rows, columns];
        QuantizedLayouts.ForEach(rows, columns, (row, column) => codes[row, column] = _random.Next(end));
        return codes;
    }

    private float[] Scales(int count) => Array.ConvertAll(HostTensors.Random(_random, count), value => (float)(Half)value);
}
