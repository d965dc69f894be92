namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Decoding of packed weights and of the FP8 cache.</content>
internal readonly unsafe partial struct SimdScalar
{
    public static float Codes(uint* words, int shift, uint mask) => (*words >> shift) & mask;

    public static float LoadE8M0(byte* source) => BitConverter.UInt32BitsToSingle(Math.Max((uint)*source << 23, 1u << 22));

    public static float Lookup(float* table, int stride, uint* words, int shift) => table[(long)stride * ((*words >> shift) & 15)];

    public static float LoadE4M3(byte* source) => Fp8.FromE4M3(*source);

    public static float LoadE5M2(byte* source) => Fp8.FromE5M2(*source);
}
