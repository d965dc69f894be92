namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Every operation through HIP, in the OpenCL C that AMD GPUs are given: matrix instructions, data-parallel primitives and the
/// argument blocks of code objects.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class HipOperationTests(HipFixture fixture) : OperationTests(fixture), IClassFixture<HipFixture>, IDisposable
{
    private protected override bool SumsInOneOrder => false;

    public void Dispose() => Assert.Equal("", HipFixture.Text);
}
