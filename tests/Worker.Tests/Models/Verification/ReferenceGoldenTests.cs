using Cluster.Worker.Compute;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Models.Verification;

/// <summary>Model code alone against the reference implementation: the scalar backend has no kernels to blame.</summary>
public sealed class ReferenceGoldenTests : GoldenTests
{
    private protected override Backend CreateBackend() => new ReferenceBackend();
}
