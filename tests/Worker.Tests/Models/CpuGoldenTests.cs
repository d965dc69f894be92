using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;

namespace Cluster.Worker.Tests.Models;

/// <summary>Model code and CPU kernels together against the reference implementation.</summary>
public sealed class CpuGoldenTests : GoldenTests
{
    private protected override Backend CreateBackend() => new CpuBackend(new CpuOptions());
}
