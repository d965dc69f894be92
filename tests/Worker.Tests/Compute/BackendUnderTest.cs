using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Compute;

/// <summary>A backend with tensors made from and read into arrays.</summary>
internal class BackendUnderTest(Backend backend) : IDisposable
{
    public Backend Backend => backend;

    public Tensor Floats(float[] values, int rows, int columns) =>
        backend.LoadVector(HostTensors.Of("test", DType.F32, values, values.Length)) with { Rows = rows, Columns = columns };

    public Tensor Empty(int rows, int columns) => backend.Allocate("output", DType.F32, rows, columns);

    public Tensor Integers(int rows, int columns, params int[] values)
    {
        var tensor = backend.Allocate("integers", DType.I32, rows, columns);
        backend.Upload(values, tensor);
        return tensor;
    }

    public float[] Read(Tensor tensor)
    {
        var values = new float[tensor.Rows * tensor.Columns];
        backend.Download(tensor, values);
        return values;
    }

    public void Dispose() => backend.Dispose();
}
