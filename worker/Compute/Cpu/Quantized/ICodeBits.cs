namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>The width of a code as a type, so that shifts and masks are constants in a kernel.</summary>
internal interface ICodeBits
{
    static abstract int Count { get; }
}

/// <summary>Eight codes a word.</summary>
internal readonly struct FourBits : ICodeBits
{
    public static int Count => 4;
}
