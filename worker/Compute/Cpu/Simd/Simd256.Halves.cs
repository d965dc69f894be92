using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Reading a cache of 16-bit floats.</content>
internal readonly unsafe partial struct Simd256
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadBf16(byte* source) => (LoadHalves(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBf16(Vector256<float> vector, byte* destination)
    {
        var bits = vector.AsUInt32();
        var halves = bits >>> 16;

        // NaN would be carried into infinity where only low bits of its mantissa are set.
        var rounded = Vector256.ConditionalSelect(
            Vector256.Equals(vector, vector).AsUInt32(),
            (bits + Vector256.Create(0x7FFFu) + (halves & Vector256.Create(1u))) >>> 16,
            halves | Vector256.Create(0x40u));
        Vector128.Narrow(rounded.GetLower(), rounded.GetUpper()).Store((ushort*)destination);
    }

    /// <summary>Subnormals are counted in steps, as <see cref="Join"/> does it and for its reason.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadF16(byte* source)
    {
        var codes = LoadHalves(source);
        var magnitude = codes & Vector256.Create(0x7FFFu);

        // The largest exponent means infinity or NaN in both types.
        var exponent = Vector256.ConditionalSelect(
            Vector256.LessThan(magnitude, Vector256.Create(0x7C00u)), Vector256.Create(112u << 23), Vector256.Create(224u << 23));
        var subnormal = Vector256.ConvertToSingle(magnitude.AsInt32()) * Vector256.Create(1 / 16777216f);
        var isSubnormal = Vector256.LessThan(magnitude, Vector256.Create(0x400u));
        var sign = (codes & Vector256.Create(0x8000u)) << 16;
        return (Vector256.ConditionalSelect(isSubnormal, subnormal.AsUInt32(), (magnitude << 13) + exponent) | sign).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadFiniteF16(byte* source) => WidenHighHalves((LoadHalves(source) << 16).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> LoadHalves(byte* source)
    {
        if (Avx2.IsSupported)
        {
            return Avx2.ConvertToVector256Int32((ushort*)source).AsUInt32();
        }

        var halves = Vector128.Load((ushort*)source);
        return Vector256.Create(Vector128.WidenLower(halves), Vector128.WidenUpper(halves));
    }
}
