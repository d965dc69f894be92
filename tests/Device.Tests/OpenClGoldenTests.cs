using Cluster.Worker.Compute;
using Cluster.Worker.Tests.Models.Verification;

namespace Cluster.Device.Tests;

/// <summary>An OpenCL device against the results of Hugging Face transformers.</summary>
public sealed class OpenClGoldenTests : GoldenTests
{
    private protected override Backend CreateBackend() => OpenCl.Create();
}
