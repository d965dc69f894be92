using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;

namespace Cluster.Worker.Tests.Models.Verification;

/// <summary>The CPU backend against the results of Hugging Face transformers.</summary>
public sealed class CpuGoldenTests : GoldenTests
{
    private protected override Backend CreateBackend() => CpuBackend.Create(new CpuOptions());
}
