using System.Numerics;
using System.Runtime.CompilerServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary>Rounds the weights of a checkpoint that is not quantized while they are loaded, as vLLM does for <c>--quantization fp8</c>:
/// to E4M3 or to signed bytes, with a scale for each output that takes its largest weight to the largest code.</summary>
/// <remarks>A scale comes from the whole row of an output, whatever part of its inputs a rank keeps: the weights are the same for every
/// degree of tensor parallelism.</remarks>
internal sealed class WeightRounding
{
    private const float MostInt8 = 127;

    private readonly bool _isInt8;

    private WeightRounding(string method) => _isInt8 = method == QuantizationMethods.Int8;

    /// <summary>For the start log.</summary>
    public string Description => $"{(_isInt8 ? "int8" : "fp8 E4M3")} weights, rounded at load, a scale per output";

    /// <summary>Bytes of what each output has beside its weights.</summary>
    public int OutputBytes => _isInt8 ? 2 * DType.BF16.Size() : DType.F32.Size();

    /// <param name="requested">See <c>--quantization</c>.</param>
    /// <param name="found">What the checkpoint is.</param>
    /// <returns>Null where weights stay as they are stored.</returns>
    public static WeightRounding? Of(string requested, QuantizationScheme? found) =>
        found is null && QuantizationMethods.AtLoad.Contains(requested) ? new(requested) : null;

    /// <summary>Rounds a matrix.</summary>
    /// <param name="weights">F32, F16 or BF16 <c>[out, in]</c>, all inputs.</param>
    /// <param name="inputs">Those that are kept.</param>
    /// <param name="memory">Receives the codes, <c>[out, inputs kept]</c> bytes, which the result reads.</param>
    /// <exception cref="ArithmeticException">A weight is not finite; says which.</exception>
    public unsafe QuantizedMatrix Round(string name, HostTensor weights, Slice inputs, NativeBlock memory)
    {
        WeightReader.RequireReadable(weights);
        var scales = new float[weights.Rows];
        var codes = (byte*)memory.Address;
        System.Threading.Tasks.Parallel.For(
            0, weights.Rows, () => new float[weights.RowLength],
            (row, _, values) =>
            {
                WeightReader.ReadRow(weights, row, values);
                scales[row] = ScaleOf(name, row, values);
                Encode(
                    values.AsSpan(inputs.First, inputs.Count), scales[row],
                    new Span<byte>(codes + ((long)row * inputs.Count), inputs.Count));
                return values;
            },
            _ => { });
        GC.KeepAlive(weights);
        var kept = new HostTensor(name, _isInt8 ? DType.I8 : DType.F8E4M3, [weights.Rows, inputs.Count], memory.Address, memory);
        return _isInt8
            ? new Int8Matrix(name, kept, null, new GroupScales([0], [.. new int[inputs.Count]], DType.BF16, scales))
            : new Fp8Matrix(name, kept, [.. scales]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float ScaleOf(string name, int row, ReadOnlySpan<float> values)
    {
        // The bits of magnitudes are in their order, and those of infinity and NaN above all others.
        var most = 0;
        for (var i = 0; i < values.Length; i++)
        {
            most = Math.Max(most, BitConverter.SingleToInt32Bits(values[i]) & int.MaxValue);
        }

        var largest = BitConverter.Int32BitsToSingle(most);
        if (!float.IsFinite(largest))
        {
            var k = 0;
            while (float.IsFinite(values[k]))
            {
                k++;
            }

            throw new ArithmeticException($"{name}: weight {k} of output {row} is {values[k]}, which no code stands for");
        }

        // Rounded up, so that no code exceeds the largest. A table of 16 bits is half as large.
        return _isInt8 ? UpToBF16(largest / MostInt8) : largest / Fp8.MaxE4M3;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Encode(ReadOnlySpan<float> values, float scale, Span<byte> codes)
    {
        if (scale == 0)
        {
            codes.Clear();
            return;
        }

        for (var k = EncodeVectors(values, scale, codes); k < codes.Length; k++)
        {
            var value = values[k] / scale;
            codes[k] = _isInt8 ? (byte)(sbyte)MathF.Round(value) : Fp8.ToE4M3(value);
        }
    }

    /// <summary>As many as fill whole vectors.</summary>
    private int EncodeVectors(ReadOnlySpan<float> values, float scale, Span<byte> codes)
    {
        var (divisor, lanes) = (new Vector<float>(scale), Vector<float>.Count);
        var k = 0;
        for (; k <= codes.Length - (4 * lanes); k += 4 * lanes)
        {
            var low = Vector.Narrow(Codes(values[k..], divisor), Codes(values[(k + lanes)..], divisor));
            var high = Vector.Narrow(Codes(values[(k + (2 * lanes))..], divisor), Codes(values[(k + (3 * lanes))..], divisor));
            Vector.AsVectorByte(Vector.Narrow(low, high)).CopyTo(codes[k..]);
        }

        return k;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector<int> Codes(ReadOnlySpan<float> values, Vector<float> divisor)
    {
        var quotients = new Vector<float>(values) / divisor;
        return _isInt8 ? Vector.ConvertToInt32(Vector.Round(quotients)) : E4M3(quotients);
    }

    /// <summary><see cref="Fp8.ToE4M3"/> of numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<int> E4M3(Vector<float> values)
    {
        var bits = Vector.AsVectorInt32(values);
        var magnitudes = bits & new Vector<int>(int.MaxValue);

        // Twenty of F32's bits of fraction go, to the nearest and of two to the even one; one bias becomes the other.
        var odd = Vector.ShiftRightLogical(magnitudes, 20) & Vector<int>.One;
        var normal = Vector.ShiftRightLogical(magnitudes + new Vector<int>(0x7FFFF) + odd, 20) - new Vector<int>(120 << 3);
        var subnormal = Vector.ConvertToInt32(Vector.Round(Vector.AsVectorSingle(magnitudes) * 512));
        var isSubnormal = Vector.LessThan(magnitudes, new Vector<int>(121 << 23));
        return Vector.Min(Vector.ConditionalSelect(isSubnormal, subnormal, normal), new Vector<int>(Fp8.NaN - 1))
            | (Vector.ShiftRightLogical(bits, 24) & new Vector<int>(0x80));
    }

    private static float UpToBF16(float value) =>
        BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(value) + 0xFFFFu) & 0xFFFF_0000u);
}
