namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>With which panel a kernel for one or two rows computes a panel. An odd one at the end is its own partner: computed twice, with
/// the same result.</summary>
internal enum Partner
{
    Next,
    Previous,
    Itself,
}
