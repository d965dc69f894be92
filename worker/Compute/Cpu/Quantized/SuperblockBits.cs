namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Codes of superblocks: the fifth bits of 32 in a word.</summary>
internal readonly struct FiveBits : ICodeBits
{
    public static int Count => 5;
}

/// <summary>The same with the fifth and sixth bits of 16 in a word.</summary>
internal readonly struct SixBits : ICodeBits
{
    public static int Count => 6;
}
