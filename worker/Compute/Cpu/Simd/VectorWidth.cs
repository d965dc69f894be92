namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>Bits the CPU kernels compute with at a time.</summary>
internal enum VectorWidth
{
    Scalar = 32,
    Bits256 = 256,
    Bits512 = 512,
}
