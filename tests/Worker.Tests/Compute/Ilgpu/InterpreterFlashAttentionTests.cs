using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>On ILGPU's CPUAccelerator.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class InterpreterFlashAttentionTests : FlashAttentionTests
{
    private protected override IKernelLauncher CreateLauncher(int waves) => new InterpreterLauncher(1L << 30, waves);
}
