using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Reading a cache of 16-bit floats.</content>
internal readonly unsafe partial struct Simd512
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadBf16(byte* source) => (LoadHalves(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBf16(Vector512<float> vector, byte* destination)
    {
        var bits = vector.AsUInt32();
        var halves = bits >>> 16;

        // NaN would be carried into infinity where only low bits of its mantissa are set.
        var rounded = Vector512.ConditionalSelect(
            Vector512.Equals(vector, vector).AsUInt32(),
            (bits + Vector512.Create(0x7FFFu) + (halves & Vector512.Create(1u))) >>> 16,
            halves | Vector512.Create(0x40u));
        Vector256.Narrow(rounded.GetLower(), rounded.GetUpper()).Store((ushort*)destination);
    }

    /// <summary>Subnormals are counted in steps, as <see cref="Join"/> does it and for its reason.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadF16(byte* source)
    {
        var codes = LoadHalves(source);
        var magnitude = codes & Vector512.Create(0x7FFFu);

        // The largest exponent means infinity or NaN in both types.
        var exponent = Vector512.ConditionalSelect(
            Vector512.LessThan(magnitude, Vector512.Create(0x7C00u)), Vector512.Create(112u << 23), Vector512.Create(224u << 23));
        var subnormal = Vector512.ConvertToSingle(magnitude.AsInt32()) * Vector512.Create(1 / 16777216f);
        var isSubnormal = Vector512.LessThan(magnitude, Vector512.Create(0x400u));
        var sign = (codes & Vector512.Create(0x8000u)) << 16;
        return (Vector512.ConditionalSelect(isSubnormal, subnormal.AsUInt32(), (magnitude << 13) + exponent) | sign).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadFiniteF16(byte* source) => WidenHighHalves((LoadHalves(source) << 16).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> LoadHalves(byte* source)
    {
        var halves = Vector256.Load((ushort*)source);
        return Avx512F.IsSupported
            ? Avx512F.ConvertToVector512UInt32(halves)
            : Vector512.Create(Vector256.WidenLower(halves), Vector256.WidenUpper(halves));
    }
}
