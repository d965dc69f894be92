using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Decoding of packed weights and of the FP8 cache.</content>
internal readonly unsafe partial struct Simd256
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Codes(uint* words, int shift, uint mask)
    {
        var codes = Vector256.Load(words) >>> shift;

        // Nothing is above the highest code.
        return Vector256.ConvertToSingle((mask == uint.MaxValue >> shift ? codes : codes & Vector256.Create(mask)).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadE8M0(byte* source) =>
        Vector256.Max(LoadBytes(source) << 23, Vector256.Create(1u << 22)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Lookup(float* table, int stride, uint* words, int shift)
    {
        var codes = ((Vector256.Load(words) >>> shift) & Vector256.Create(15u)).AsInt32();
        var index = (codes * Vector256.Create(stride)) + Vector256<int>.Indices;
        return Avx2.IsSupported ? Avx2.GatherVector256(table, index, sizeof(float)) : Gather(table, index);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadE4M3(byte* source) => WidenE4M3(LoadBytes(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadE5M2(byte* source)
    {
        var codes = LoadBytes(source);
        var magnitude = codes & Vector256.Create(0x7Fu);

        // The largest exponent means infinity or NaN in both types.
        var exponent = Vector256.ConditionalSelect(
            Vector256.LessThan(magnitude, Vector256.Create(0x7Cu)), Vector256.Create(112u << 23), Vector256.Create(224u << 23));
        return Join(codes, magnitude, (magnitude << 21) + exponent, smallestNormal: 4, step: 1 / 65536f);
    }

    /// <summary>E4M3 in the low byte of each word; what is above it does not matter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> WidenE4M3(Vector256<uint> codes)
    {
        var magnitude = codes & Vector256.Create(0x7Fu);
        var isNaN = Vector256.Equals(magnitude, Vector256.Create(0x7Fu));
        return Join(codes, magnitude, ((magnitude << 20) + Vector256.Create(120u << 23)) | isNaN, smallestNormal: 8, step: 1 / 512f);
    }

    /// <summary>Subnormals are counted in steps: multiplying a subnormal F32 into place, as <see cref="LowF16"/> does, traps into microcode
    /// on many processors, and in a cache, whose numbers no scale moves upwards, subnormals are frequent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Join(
        Vector256<uint> codes, Vector256<uint> magnitude, Vector256<uint> normal, int smallestNormal, float step)
    {
        var subnormal = Vector256.ConvertToSingle(magnitude.AsInt32()) * Vector256.Create(step);
        var isSubnormal = Vector256.LessThan(magnitude.AsInt32(), Vector256.Create(smallestNormal)).AsUInt32();
        var sign = (codes & Vector256.Create(0x80u)) << 24;
        return (Vector256.ConditionalSelect(isSubnormal, subnormal.AsUInt32(), normal) | sign).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> LoadBytes(byte* source)
    {
        if (Avx2.IsSupported)
        {
            return Avx2.ConvertToVector256Int32(source).AsUInt32();
        }

        var halves = Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(source)).AsByte());
        return Vector256.Create(Vector128.WidenLower(halves), Vector128.WidenUpper(halves));
    }

    private static Vector256<float> Gather(float* table, Vector256<int> index) => Vector256.Create(
        table[index[0]], table[index[1]], table[index[2]], table[index[3]], table[index[4]], table[index[5]], table[index[6]],
        table[index[7]]);
}
