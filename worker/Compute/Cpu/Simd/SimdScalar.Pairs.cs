namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Two BF16 at a time, one after the other.</content>
internal readonly unsafe partial struct SimdScalar
{
    public static void LoadBf16Pair(byte* first, byte* second, out float a, out float b)
    {
        a = LoadBf16(first);
        b = LoadBf16(second);
    }

    public static void LoadPair(float* first, float* second, out float a, out float b)
    {
        a = *first;
        b = *second;
    }

    public static void StorePair(float a, float b, float* first, float* second)
    {
        *first = a;
        *second = b;
    }
}
