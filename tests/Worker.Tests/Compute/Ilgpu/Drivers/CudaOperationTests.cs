namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Every operation as PTX, through the launcher for CUDA.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class CudaOperationTests(CudaFixture fixture) : OperationTests(fixture), IClassFixture<CudaFixture>, IDisposable
{
    public void Dispose() => Assert.Equal("", CudaFixture.Text);
}
