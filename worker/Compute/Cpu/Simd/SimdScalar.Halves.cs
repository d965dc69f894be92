using System.Runtime.CompilerServices;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Reading a cache of 16-bit floats.</content>
internal readonly unsafe partial struct SimdScalar
{
    public static float LoadBf16(byte* source) => BitConverter.UInt32BitsToSingle((uint)Unsafe.ReadUnaligned<ushort>(source) << 16);

    public static float LoadF16(byte* source) => (float)Unsafe.ReadUnaligned<Half>(source);

    public static float LoadFiniteF16(byte* source) => LoadF16(source);

    public static void StoreBf16(float vector, byte* destination)
    {
        var bits = BitConverter.SingleToUInt32Bits(vector);
        Unsafe.WriteUnaligned(
            destination, (ushort)(float.IsNaN(vector) ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16));
    }
}
